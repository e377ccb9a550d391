"""The session record: order, duplicates and hostile sizes do not matter."""

from __future__ import annotations

import random
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.contract import Event, OrderFacts
from events.session import Limits, SessionRecord, SessionState, activity_of, dwell_of, encode_record, state_of
from tests.events.builders import NOW, event, in_time, replayed_cart

LIMITS = Limits(events=50, products=20)
NAMES = [
    *("Product Viewed", "Product Clicked", "Product Added", "Product Removed"),
    *("Cart Viewed", "Checkout Started", "Order Completed", "Something Else"),
]


def record_of(events: Iterable[Event], limits: Limits = LIMITS) -> SessionRecord:
    """Return the record after events that came one by one."""
    record = SessionRecord()
    for item in events:
        record = record.after([item], limits)
    return record


def state_after(*events: Event, limits: Limits = LIMITS) -> SessionState:
    return state_of(record_of(events, limits), "s")


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


def batches(events: list[Event], chance: random.Random) -> Iterable[list[Event]]:
    """Yield the events in order, cut into batches anywhere."""
    start = 0
    while start < len(events):
        size = chance.randint(1, 10)
        yield events[start : start + size]
        start += size


@pytest.mark.parametrize("limits", [LIMITS, Limits(events=10, products=2), Limits(events=3, products=1)], ids=str)
@given(sessions, st.randoms(use_true_random=False))
def test_any_order_any_number_of_deliveries_and_any_batches_give_the_same_bytes(
    limits: Limits, events: list[Event], chance: random.Random
) -> None:
    record = SessionRecord()
    for batch in batches(shaken(events, chance), chance):
        record = record.after(batch, limits)
    assert encode_record(record) == encode_record(record_of(events, limits))
    assert encode_record(record) == encode_record(SessionRecord().after(events, limits))


@pytest.mark.parametrize("limits", [LIMITS, Limits(events=3, products=2)], ids=str)
@given(
    st.lists(
        st.builds(
            event,
            st.sampled_from(NAMES),
            st.sampled_from("ab"),
            st.sampled_from("ab"),
            at=st.sampled_from([NOW, NOW + 1, NOW + 2]),
            message=st.sampled_from(["m1", "m2", "m3", "a message id that is long"]),
            quantity=st.sampled_from([0.0, 1.0, 2.0]),
            shopper=st.sampled_from([None, "u1", "u2"]),
            price=st.sampled_from([None, 0.0, 1.5]),
            discount=st.sampled_from([0.0, 0.5]),
            context=st.sampled_from([None, {"referrer": "x"}, {"referrer": "y", "device": "ios"}]),
            anonymous=st.sampled_from([None, "a1", "a2", "a3", "a4", "a5", "a6"]),
            order=st.sampled_from([None, OrderFacts("o1"), OrderFacts("o2")]),
        ),
        max_size=14,
    ),
    st.randoms(use_true_random=False),
)
def test_even_different_events_under_one_message_id_give_the_same_bytes_in_any_order(
    limits: Limits, events: list[Event], chance: random.Random
) -> None:
    assert encode_record(record_of(shaken(events, chance), limits)) == encode_record(record_of(events, limits))


@given(sessions, st.randoms(use_true_random=False))
def test_the_state_equals_a_plain_replay_in_order_of_time(events: list[Event], chance: random.Random) -> None:
    state = state_after(*shaken(events, chance))
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
    state = state_of(record, "s")
    assert len(record.changes) <= LIMITS.events
    assert len(record.moments) <= LIMITS.events
    assert len(state.cart) <= LIMITS.products + LIMITS.events
    assert len(state.views) <= LIMITS.products
    assert len(encode_record(record)) < 10_000


def test_a_cart_of_ten_thousand_lines_is_cut() -> None:
    products = [f"p{number}" for number in range(10_000)]
    assert len(state_after(event("Cart Viewed", *products)).cart) == LIMITS.products
    assert len(state_after(event("Product Added", *products)).cart) == LIMITS.products


@pytest.mark.parametrize("name", NAMES)
def test_a_flood_with_the_longest_ids_stops_growing(name: str) -> None:
    products = [f"{number:0256d}" for number in range(LIMITS.products)]
    context = {f"{number}": "c" * 1_000 for number in range(100)} | {"device": "d" * 1_000}
    record = SessionRecord()
    for number in range(3 * LIMITS.events):
        told = event(name, *products, at=NOW + number, message=f"{number:0256d}", context=context)
        record = record.after([msgspec.structs.replace(told, anonymous_id=f"{number:0256d}")], LIMITS)
    longest_line, others = 256 + 64, 3_000
    bound = (LIMITS.events + 2 * LIMITS.products) * longest_line + 9 * LIMITS.events + others
    assert len(encode_record(record)) <= bound


def test_a_cart_told_as_a_whole_makes_what_came_before_it_void_and_is_what_counts() -> None:
    added = [event("Product Added", "a", at=NOW + number, message=f"m{number:03d}") for number in range(40)]
    told = event("Cart Viewed", "a", "b", at=NOW + 100, message="told", quantity=7.0)
    later = event("Product Added", "b", at=NOW + 101, message="later")
    record = record_of([*added, later, told, *added])
    assert state_of(record, "s").cart == {"a": 7.0, "b": 8.0}
    assert len(record.changes) == 1


def test_more_changes_than_are_kept_leave_the_newest_ones() -> None:
    added = [event("Product Added", "a", at=NOW + number, message=f"m{number:03d}") for number in range(80)]
    assert state_after(*added).cart == {"a": float(LIMITS.events)}
    assert record_of([*added, *added]) == record_of(added)


def test_the_cart_has_a_value_and_a_discount_by_what_was_told_last_of_each_line() -> None:
    state = state_after(
        event("Product Added", "a", at=NOW, message="1", price=9.0, quantity=2.0),
        event("Product Added", "a", at=NOW + 1, message="2", price=8.0, discount=0.5),
        event("Product Added", "a", at=NOW + 2, message="3"),
        event("Product Added", "b", at=NOW + 3, message="4", price=1.25),
        event("Product Added", "gone", at=NOW + 4, message="5", price=99.0, discount=9.0),
        event("Product Removed", "gone", at=NOW + 5, message="6"),
    )
    assert state.prices == {"a": 8.0, "b": 1.25}
    assert state.value == 4 * 8.0 + 1.25
    assert state.discount == 0.5


def test_a_stay_on_a_products_page_ends_with_the_next_event_whatever_it_is() -> None:
    page = Event("p", "page", "Home", "s", None, NOW + 30)
    viewed = [("a", 0), ("b", 10), ("a", 40), ("c", 5_000), ("d", 9_000)]
    events = [event("Product Viewed", product, at=NOW + at, message=f"{at}") for product, at in viewed]
    record = record_of([page, *reversed(events)])
    assert dwell_of(record, 600.0) == {"a": 10.0 + 600.0, "b": 20.0, "c": 600.0}
    assert activity_of(record, 600.0)[-1].seconds is None


def test_the_session_remembers_where_it_came_from_and_what_was_last_told_of_the_rest() -> None:
    first = event("Product Viewed", "a", message="1", context={"referrer": "https://search", "device": "ios"})
    then = event("x", at=NOW + 1, message="2", context={"referrer": "https://us", "device": "web", "region": "NH"})
    assert state_after(then, first).context == {"referrer": "https://search", "device": "web", "region": "NH"}


def test_the_session_remembers_its_newest_orders_and_anonymous_ids() -> None:
    events = [
        event("Order Completed", at=NOW + n, message=f"{n}", anonymous=f"a{n // 2}", order=OrderFacts(f"o{n}"))
        for n in range(12)
    ]
    state = state_after(*reversed(events))
    assert state.orders == ("o8", "o9", "o10", "o11")
    assert state.anonymous_ids == ("a2", "a3", "a4", "a5")
    assert (state.first_event_at, state.last_event_at) == (NOW, NOW + 11)


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
    state = state_after(before, event(name, "b", at=NOW + 1, message="2", quantity=2.0))
    assert state.cart == cart
    assert [product for product, _ in state.views] == views


def test_removing_part_leaves_the_rest_and_removing_more_than_there_is_leaves_none() -> None:
    added = event("Product Added", "a", message="1", quantity=3.0)
    some = event("Product Removed", "a", at=NOW + 1, message="2")
    more = event("Product Removed", "a", at=NOW + 2, message="3", quantity=9.0)
    assert state_after(added, some).cart == {"a": 2.0}
    assert state_after(added, some, more).cart == {}


def test_weighed_goods_taken_out_leave_no_crumbs_of_rounding() -> None:
    state = state_after(
        event("Product Added", "grapes", message="1", quantity=0.1),
        event("Product Added", "grapes", at=NOW + 1, message="2", quantity=0.2),
        event("Product Removed", "grapes", at=NOW + 2, message="3", quantity=0.3),
    )
    assert state.cart == {}


def test_checkout_started_without_products_keeps_the_cart() -> None:
    state = state_after(
        event("Product Added", "a", message="1"), event("Checkout Started", at=NOW + 1, message="2", step=1)
    )
    assert (state.cart, state.checkout_step) == ({"a": 1.0}, 1)


def test_the_latest_word_on_who_the_shopper_is_holds() -> None:
    late = event("Product Viewed", "a", at=NOW + 5, message="2", shopper="known")
    early = event("Product Viewed", "b", at=NOW, message="1", shopper="stale")
    assert state_after(late, early).shopper_id == "known"
    assert state_after(late, early).views == (("b", NOW), ("a", NOW + 5))
    assert state_after(late, early).last_event_at == NOW + 5


def test_a_session_nobody_knows_is_empty() -> None:
    assert state_of(SessionRecord(), "s") == SessionState("s")
