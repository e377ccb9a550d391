"""A drill's stream: shopping sessions as calls of Segment's API, out of order and repeated, and what they come to.

What they come to is worked out from the list of events by plain replay; nothing of it is what the parts compute with.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from events.contract import Event, OrderFacts
from tests.events.builders import NOW, event, in_time, replayed_cart

EVENTS_PER_SESSION = 30
"""So few that a session's record holds all of its cart changes: its cart is exact."""
NAMES = ["Product Added"] * 10 + ["Product Removed"] * 5 + ["Product Viewed"] * 6 + ["Cart Viewed", "Order Completed"]
REPEATED = REORDERED = 0.05
FARTHEST = 200
"""Places by which an event may come too late."""
LARGEST_BATCH = 50

Call = dict[str, Any]


def shopping(count: int, chance: random.Random) -> list[Event]:
    """Return distinct events of interleaved sessions in order of time."""
    sessions = max(1, count // EVENTS_PER_SESSION)
    return [_event(number, f"s{chance.randrange(sessions)}", chance) for number in range(count)]


def sent(events: Sequence[Event], chance: random.Random) -> list[Event]:
    """Return events as a careless client sends them: 5 % of them too late, 5 % once more at some later time."""
    places = [(float(place), item) for place, item in enumerate(events)]
    for place in chance.sample(range(len(events)), int(REORDERED * len(events))):
        places[place] = place + chance.uniform(1, FARTHEST), events[place]
    again = chance.sample(places, int(REPEATED * len(events)))
    places += [(place + chance.uniform(0, FARTHEST), item) for place, item in again]
    return [item for _, item in sorted(places, key=lambda pair: pair[0])]


def batches(events: Sequence[Event], chance: random.Random) -> Iterator[list[Event]]:
    """Cut a stream into batches of random sizes."""
    start = 0
    while start < len(events):
        size = chance.randint(1, LARGEST_BATCH)
        yield list(events[start : start + size])
        start += size


def call_of(item: Event) -> Call:
    """Return the call that tells an event."""
    products = [{"product_id": x.product_id, "quantity": x.quantity, "price": x.price} for x in item.lines]
    properties: dict[str, Any] = {"products": products} if item.name in {"Cart Viewed", "Order Completed"} else {}
    if not properties:
        properties = products[0]
    if item.order is not None:
        properties |= {"order_id": item.order.order_id, "total": item.order.value}
    return {
        "type": "track",
        "event": item.name,
        "messageId": item.message_id,
        "anonymousId": item.session_id,
        "timestamp": datetime.fromtimestamp(item.occurred_at, UTC).isoformat(),
        "properties": properties,
    }


@dataclass
class Outcome:
    """What a stream comes to, or what the parts made of it.

    Attributes:
        carts: session → product → quantity.
        newest: session → ids of its newest orders.
        orders: order id → (message id, time, session, paid).
        lines: order id → (product, quantity, price) in order.
        added: message ids of Product Added, ascending.
        log: message ids of the event log, ascending, as often as they are in it.
    """

    carts: dict[str, dict[str, float]]
    newest: dict[str, set[str]]
    orders: dict[str, tuple[str, float, str, float | None]]
    lines: dict[str, list[tuple[str, float, float | None]]]
    added: list[str]
    log: list[str]


def expected(events: Sequence[Event], most_orders: int) -> Outcome:
    """Return what distinct events come to; of a shopper the newest `most_orders` orders are remembered."""
    by_session: defaultdict[str, list[Event]] = defaultdict(list)
    for item in events:
        by_session[item.session_id].append(item)
    bought = [(item.order, item) for item in sorted(events, key=in_time) if item.order is not None]
    newest: defaultdict[str, list[str]] = defaultdict(list)
    for order, item in bought:
        newest[item.session_id].append(order.order_id)
    return Outcome(
        {session: replayed_cart(theirs) for session, theirs in by_session.items()},
        {session: set(newest[session][-most_orders:]) for session in by_session},
        {order.order_id: (item.message_id, item.occurred_at, item.session_id, order.value) for order, item in bought},
        {order.order_id: [(x.product_id, x.quantity, x.price) for x in item.lines] for order, item in bought},
        sorted(item.message_id for item in events if item.name == "Product Added"),
        sorted(item.message_id for item in events),
    )


def _event(number: int, session: str, chance: random.Random) -> Event:
    name = chance.choice(NAMES)
    several = name in {"Cart Viewed", "Order Completed"}
    products = chance.sample(range(8), chance.randint(1, 3) if several else 1)
    return event(
        name,
        *(f"p{product}" for product in products),
        at=NOW + number,
        message=str(uuid.UUID(int=chance.getrandbits(128))),
        session=session,
        quantity=float(chance.randint(1, 3)),
        price=chance.randint(1, 999) / 100,
        order=OrderFacts(f"order-{number}", chance.randint(1, 9_999) / 100) if name == "Order Completed" else None,
    )
