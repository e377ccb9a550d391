"""One small record per live session: changed by events, read by every recommendation.

Comes in: events, in any order and as often as they are delivered. Goes out: `SessionState`, a pure fold of the
session's recent events. Called by the consumer (writes) and by `serving` (reads).
"""

from events.session.record import Limits, SessionRecord
from events.session.state import Activity, SessionState, activity_of, dwell_of, recent_of, state_of
from events.session.store import decode_record, decode_session, encode_record, session_key

__all__ = [
    "Activity",
    "Limits",
    "SessionRecord",
    "SessionState",
    "activity_of",
    "decode_record",
    "decode_session",
    "dwell_of",
    "encode_record",
    "recent_of",
    "session_key",
    "state_of",
]
