"""What shoppers do, from the HTTP body to session state: contract, brokers, consumer, state.

Comes in: Segment-compatible calls. Goes out: a durable stream of `Event`s and one small record per live session in
Redis. Called by `serving` (collect, read sessions) and `pipelines` (run the consumer, the embedded Redis).
"""

from events.contract import Event, InvalidEventError, Line

__all__ = ["Event", "InvalidEventError", "Line"]
