"""The session record: order, duplicates and hostile sizes do not matter."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from events.contract import Event
from events.session.state import Limits, SessionRecord, SessionState
from tests.events.builders import NOW, event

LIMITS = Limits(events=50, products=20)
NAMES = ["Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Order Completed", "Something Else"]


def record_of(events: Iterable[Event], limits: Limits = LIMITS) -> SessionRecord:
    record = SessionRecord()
    for item in events:
        record = record.apply(item, limits)
    return record


def state_of(*events: Event, limits: Limits = LIMITS) -> SessionState:
    return record_of(events, limits).state("s", limits)


def numbered(drawn: list[tuple[str, str, int, float]]) -> list[Event]:
    return [
        event(name, product, at=NOW + at, message=f"m{number}", quantity=quantity, shopper=f"u{at}", step=at % 5)
        for number, (name, product, at, quantity) in enumerate(drawn)
    ]


sessions = st.lists(
    st.tuples(
        st.sampled_from(NAMES), st.sampled_from("abcd"), st.integers(0, 9), st.sampled_from([0.0, 0.5, 1.0, 2.0])
    ),
    max_size=30,
).map(numbered)


@given(sessions, st.randoms(use_true_random=False))
def test_any_order_and_any_number_of_deliveries_gives_the_same_record(
    events: list[Event], chance: random.Random
) -> None:
    delivered = events + [item for item in events if chance.random() < 0.4]
    chance.shuffle(delivered)
    assert record_of(delivered) == record_of(events)


@given(sessions)
def test_the_cart_equals_a_plain_replay_in_order_of_time(events: list[Event]) -> None:
    cart: dict[str, float] = {}
    for item in sorted(events, key=lambda item: (item.occurred_at, item.message_id)):
        (line,) = item.lines
        if item.name == "Cart Viewed":
            cart = {line.product_id: line.quantity}
        elif item.name == "Order Completed":
            cart = {}
        elif item.name in {"Product Added", "Product Removed"}:
            sign = 1 if item.name == "Product Added" else -1
            cart[line.product_id] = max(0.0, cart.get(line.product_id, 0.0) + sign * line.quantity)
    assert state_of(*events).cart == {product: quantity for product, quantity in cart.items() if quantity > 0}


@given(
    st.lists(
        st.tuples(
            st.sampled_from(NAMES), st.text("abcdefgh", min_size=1, max_size=3), st.integers(0, 10**6), st.just(1.0)
        ),
        min_size=60,
        max_size=200,
    ).map(numbered)
)
def test_the_record_stays_bounded_whatever_is_sent(events: list[Event]) -> None:
    record = record_of(events)
    state = record.state("s", LIMITS)
    assert len(record.log) <= LIMITS.events
    assert len(state.cart) <= LIMITS.products
    assert len(state.views) <= LIMITS.products
    assert len(msgspec.msgpack.encode(record)) < 20_000


def test_a_cart_of_ten_thousand_lines_is_cut() -> None:
    flood = event("Cart Viewed", *(f"p{number}" for number in range(10_000)))
    assert len(state_of(flood).cart) == LIMITS.products


def test_folding_old_events_keeps_the_cart_and_refuses_their_repetition() -> None:
    events = [event("Product Added", "a", at=NOW + number, message=f"m{number:03d}") for number in range(80)]
    record = record_of(events)
    assert record.state("s", LIMITS).cart == {"a": 80.0}
    assert record.apply(events[0], LIMITS) == record
    assert record.apply(events[-1], LIMITS) == record


def test_checkout_started_without_products_keeps_the_cart() -> None:
    state = state_of(
        event("Product Added", "a", message="1"), event("Checkout Started", at=NOW + 1, message="2", step=1)
    )
    assert (state.cart, state.checkout_step) == ({"a": 1.0}, 1)


def test_the_latest_word_on_who_the_shopper_is_holds() -> None:
    late = event("Product Viewed", "a", at=NOW + 5, message="2", shopper="known")
    early = event("Product Viewed", "b", at=NOW, message="1", shopper="stale")
    assert state_of(late, early).shopper_id == "known"
    assert state_of(late, early).views == (("b", NOW), ("a", NOW + 5))
    assert state_of(late, early).last_event_at == NOW + 5


def test_a_session_nobody_knows_is_empty() -> None:
    assert SessionRecord().state("s", LIMITS) == SessionState("s")
