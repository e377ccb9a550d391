"""The session record: order, duplicates and hostile sizes do not matter."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.contract import Event
from events.session.state import Limits, SessionRecord, SessionState
from tests.events.builders import NOW, event, in_time, replayed_cart

LIMITS = Limits(events=50, products=20)
NAMES = [
    *("Product Viewed", "Product Clicked", "Product Added", "Product Removed"),
    *("Cart Viewed", "Checkout Started", "Order Completed", "Something Else"),
]


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


def shaken(events: list[Event], chance: random.Random) -> list[Event]:
    """Return the events in any order, some of them several times."""
    delivered = [copy for item in events for copy in [item] * chance.choice([1, 1, 1, 2, 3])]
    chance.shuffle(delivered)
    return delivered


@given(sessions, st.randoms(use_true_random=False))
def test_any_order_and_any_number_of_deliveries_gives_the_same_record(
    events: list[Event], chance: random.Random
) -> None:
    assert record_of(shaken(events, chance)) == record_of(events)


@given(sessions, st.randoms(use_true_random=False))
def test_the_state_equals_a_plain_replay_in_order_of_time(events: list[Event], chance: random.Random) -> None:
    state = state_of(*shaken(events, chance))
    ordered = sorted(events, key=in_time)
    viewed = {item.lines[0].product_id: item.occurred_at for item in ordered if item.name in NAMES[:2]}
    assert state.cart == replayed_cart(events)
    assert dict(state.views) == viewed
    assert [at for _, at in state.views] == sorted(viewed.values())
    assert state.shopper_id == (ordered[-1].shopper_id if ordered else None)
    assert state.checkout_step == (ordered[-1].checkout_step if ordered else None)
    assert state.last_event_at == (ordered[-1].occurred_at if ordered else 0.0)


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


def test_a_flood_of_full_carts_with_the_longest_ids_stops_growing() -> None:
    products = [f"{number:0256d}" for number in range(100)]
    sizes = []
    record = SessionRecord()
    for number in range(4 * LIMITS.events):
        record = record.apply(event("Cart Viewed", *products, at=NOW + number, message=f"m{number}"), LIMITS)
        sizes.append(len(msgspec.msgpack.encode(record)))
    longest_line = 256 + 32
    assert max(sizes) <= (LIMITS.events + 2) * LIMITS.products * longest_line


def test_folding_old_events_keeps_the_cart_and_refuses_their_repetition() -> None:
    events = [event("Product Added", "a", at=NOW + number, message=f"m{number:03d}") for number in range(80)]
    record = record_of(events)
    assert record.state("s", LIMITS).cart == {"a": 80.0}
    assert record.apply(events[0], LIMITS) == record
    assert record.apply(events[-1], LIMITS) == record


def test_an_event_older_than_what_was_folded_away_is_ignored() -> None:
    record = record_of(
        event("Product Added", "a", at=NOW + number, message=f"m{number:03d}") for number in range(LIMITS.events + 1)
    )
    assert record.base_mark > (NOW, "")
    late = record.apply(event("Order Completed", at=NOW - 1, message="late"), LIMITS)
    assert late.state("s", LIMITS).cart == record.state("s", LIMITS).cart
    assert late.log == record.log


@pytest.mark.parametrize(
    ("name", "cart", "views"),
    [
        ("Product Viewed", {"a": 2.0}, ["b"]),
        ("Product Clicked", {"a": 2.0}, ["b"]),
        ("Product Added", {"a": 2.0, "b": 2.0}, []),
        ("Product Removed", {"a": 2.0}, []),
        ("Cart Viewed", {"b": 2.0}, []),
        ("Checkout Started", {"b": 2.0}, []),
        ("Order Completed", {}, []),
        ("Coupon Applied", {"a": 2.0}, []),
    ],
)
def test_each_event_does_what_its_name_says(name: str, cart: dict[str, float], views: list[str]) -> None:
    before = event("Product Added", "a", message="1", quantity=2.0)
    state = state_of(before, event(name, "b", at=NOW + 1, message="2", quantity=2.0))
    assert state.cart == cart
    assert [product for product, _ in state.views] == views


def test_removing_part_leaves_the_rest_and_removing_more_than_there_is_leaves_none() -> None:
    added = event("Product Added", "a", message="1", quantity=3.0)
    some = event("Product Removed", "a", at=NOW + 1, message="2")
    more = event("Product Removed", "a", at=NOW + 2, message="3", quantity=9.0)
    assert state_of(added, some).cart == {"a": 2.0}
    assert state_of(added, some, more).cart == {}


def test_weighed_goods_taken_out_leave_no_crumbs_of_rounding() -> None:
    state = state_of(
        event("Product Added", "grapes", message="1", quantity=0.1),
        event("Product Added", "grapes", at=NOW + 1, message="2", quantity=0.2),
        event("Product Removed", "grapes", at=NOW + 2, message="3", quantity=0.3),
    )
    assert state.cart == {}


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
