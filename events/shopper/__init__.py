"""What live events say of a person: recent orders under each id, and which ids are the same person.

Comes in: events, in any order and as often as they are delivered. Goes out: one record of recent orders per id, and
links between ids, from which the ids of one person are found when they are read. Called by the consumer (writes) and
by `serving` (reads).
"""

from events.shopper.identity import Link, Person, links_of
from events.shopper.orders import CompletedOrder, RecentOrders, orders_of
from events.shopper.store import ask, decode_person, person_id, read_person, shopper_key
from events.shopper.units import FirstShown, decode_unit, remember, unit_key

__all__ = [
    "CompletedOrder",
    "FirstShown",
    "Link",
    "Person",
    "RecentOrders",
    "ask",
    "decode_person",
    "decode_unit",
    "links_of",
    "orders_of",
    "person_id",
    "read_person",
    "remember",
    "shopper_key",
    "unit_key",
]
