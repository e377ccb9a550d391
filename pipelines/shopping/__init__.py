"""What simulated shoppers share: a basket as the events of a shop's pages, and the way to the running service.

Comes in: held-out baskets, settings. Goes out: calls of Segment's API, a client that carries the right keys. Used by
the replay, by simulated traffic and by benchmarks.
"""

from pipelines.shopping.basket import CHECKOUT_STEP, SECONDS_BETWEEN_EVENTS, Basket, checkout_of, line_up, rfc3339
from pipelines.shopping.client import BATCH, IDENTIFY, RECOMMENDATIONS, service_client, with_key

__all__ = [
    "BATCH",
    "CHECKOUT_STEP",
    "IDENTIFY",
    "RECOMMENDATIONS",
    "SECONDS_BETWEEN_EVENTS",
    "Basket",
    "checkout_of",
    "line_up",
    "rfc3339",
    "service_client",
    "with_key",
]
