"""One small record per live session: changed by events, read by every recommendation.

Comes in: events, in any order and as often as they are delivered. Goes out: `SessionState`, a pure fold of the
session's recent events. Called by the consumer (writes) and by `serving` (reads).
"""

from events.session.state import SessionRecord, SessionState
from events.session.store import decode_session, session_key

__all__ = ["SessionRecord", "SessionState", "decode_session", "session_key"]
