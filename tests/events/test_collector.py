"""From HTTP bodies to events: what is accepted, how time is corrected, what is refused and how clearly."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from events.collector import Endpoint, collect, parse
from events.contract import Event, InvalidEventError, Line, OrderFacts, decode, encode
from events.traits import LONGEST_CONTEXT, LONGEST_TRAIT, MOST_TRAITS
from tests.events.builders import ADDED, EVENTS, NOW


def track(**fields: Any) -> Event:
    (event,) = parse(json.dumps(ADDED | fields).encode(), "track", NOW, EVENTS)
    return event


def rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def test_a_track_call_becomes_an_event() -> None:
    event = track(
        userId=718,
        messageId="m1",
        properties={"product_id": 1029743, "quantity": 2, "price": 2.5, "step": 3, "colour": "red"},
        context={"sessionId": "s1", "device": {"type": "ios"}, "location": {"country": "NL"}, "library": {"name": "x"}},
    )
    assert event == Event(
        "m1",
        "track",
        "Product Added",
        "s1",
        "718",
        NOW,
        (Line("1029743", 2.0, 2.5),),
        3,
        {"device": "ios", "country": "NL"},
        anonymous_id="a",
        received_at=NOW,
    )
    assert decode(encode(event)) == event


def test_the_session_is_the_context_s_then_the_anonymous_id_then_the_user() -> None:
    assert track(context={"sessionId": "s"}, userId="u").session_id == "s"
    assert track(userId="u").session_id == "a"
    assert track(anonymousId=None, userId="u").session_id == "u"


def test_a_wrong_client_clock_is_corrected_by_what_passed_between_event_and_sending() -> None:
    event = track(timestamp="1999-05-01T10:00:00Z", sentAt="1999-05-01T10:00:07Z")
    assert event.occurred_at == NOW - 7


def test_a_timestamp_without_sent_at_is_history_and_taken_as_told() -> None:
    assert track(timestamp=rfc3339(NOW - 86_400)).occurred_at == NOW - 86_400


def test_a_missing_message_id_is_made_up_and_distinct() -> None:
    assert track().message_id != track().message_id


def test_a_batch_keeps_its_order_and_uses_its_own_sent_at() -> None:
    calls = [
        {"type": "identify", "anonymousId": "a", "userId": "u", "timestamp": rfc3339(0), "messageId": "m0"},
        {"type": "track", **ADDED, "messageId": "m1"},
        {"type": "page", "anonymousId": "a", "name": "Home"},
    ]
    found = parse(json.dumps({"batch": calls, "sentAt": rfc3339(5)}).encode(), "batch", NOW, EVENTS)
    assert [event.kind for event in found] == ["identify", "track", "page"]
    assert found[0].occurred_at == NOW - 5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": "Recommendations Exposed"}, "event"),
        ({"messageId": "tillwise:0123"}, "messageId"),
        ({"anonymousId": None}, "anonymousId"),
        ({"anonymousId": None, "context": {"sessionId": "s"}}, "anonymousId"),
        ({"anonymousId": -1}, "anonymousId"),
        ({"anonymousId": "z" * 257}, "anonymousId"),
        ({"userId": "u\n"}, "userId"),
        ({"userId": True}, "userId"),
        ({"properties": {}}, "properties.product_id"),
        ({"properties": {"product_id": "p", "quantity": -1}}, "properties.quantity"),
        ({"properties": {"product_id": "p", "price": -0.01}}, "properties.price"),
        ({"properties": {"product_id": "p", "price": "cheap"}}, "properties.price"),
        ({"properties": {"product_id": "x" * 257}}, "properties.product_id"),
        ({"properties": {"product_id": "a\x00b"}}, "properties.product_id"),
        ({"properties": {"product_id": ""}}, "properties.product_id"),
        ({"properties": {"product_id": "p", "products": [{"quantity": 1}]}}, "properties.products[0]"),
        ({"properties": {"product_id": "p", "quantity": 10**400}}, "properties.quantity"),
        ({"properties": {"product_id": "p", "step": -1}}, "properties.step"),
        ({"properties": {"product_id": "p", "products": [{"product_id": "q"}] * 1_001}}, "properties.products"),
        ({"messageId": "\x00"}, "messageId"),
        ({"messageId": "n" * 257}, "messageId"),
        ({"context": []}, "context"),
        ({"context": {"sessionId": "y" * 300}}, "context.sessionId"),
        ({"timestamp": "1970-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "2100-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, "timestamp"),
        ({"timestamp": "9999-12-31T23:59:59-23:59"}, "timestamp"),
        ({"timestamp": "yesterday"}, "timestamp"),
        ({"timestamp": 1_700_000_000}, "timestamp"),
        ({"sentAt": "now"}, "sentAt"),
    ],
)
def test_what_breaks_the_contract_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        track(**change)
    assert refused.value.field == field
    assert refused.value.reason


def test_of_a_batch_the_valid_calls_are_taken_and_each_other_one_is_named() -> None:
    free = {"product_id": "p", "quantity": -1}
    calls = [
        {"type": "track", **ADDED, "messageId": "m0"},
        {"type": "track", **ADDED, "properties": free},
        {"type": "shout", **ADDED},
        "text",
        {"type": "track", **ADDED, "messageId": "m4"},
    ]
    found = collect(json.dumps({"batch": calls}).encode(), "batch", NOW, EVENTS)
    assert [event.message_id for event in found.events] == ["m0", "m4"]
    assert [(call.index, call.field) for call in found.rejected] == [
        (1, "batch[1].properties.quantity"),
        (2, "batch[2].type"),
        (3, "batch[3]"),
    ]
    assert all(call.reason for call in found.rejected)


def test_a_rejected_call_is_kept_as_a_batch_that_says_the_same_again() -> None:
    bad = {"type": "track", **ADDED, "timestamp": rfc3339(7), "properties": {}}
    batch = {"batch": [{"type": "page", "userId": "u"}, bad], "sentAt": rfc3339(9), "context": {"channel": "app"}}
    (kept,) = collect(json.dumps(batch).encode(), "batch", NOW, EVENTS).rejected
    (again,) = collect(kept.body, kept.endpoint, NOW, EVENTS).rejected
    assert (again.field, again.reason) == ("batch[0].properties.product_id", kept.reason)
    repaired = kept.body.replace(b'"properties": {}', b'"properties": {"product_id": "p"}')
    (event,) = parse(repaired, kept.endpoint, NOW, EVENTS)
    assert (event.occurred_at, event.context) == (NOW - 2, {"channel": "app"})


def test_a_whole_body_that_says_nothing_is_rejected_whole() -> None:
    found = collect(b"{", "batch", NOW, EVENTS)
    assert found.events == []
    assert [(call.index, call.field, call.body) for call in found.rejected] == [(None, "body", b"{")]


def test_an_order_is_taken_with_all_that_is_told_of_it() -> None:
    product = {"product_id": "p", "price": 2.5, "quantity": 3, "discount": 1, "position": 2}
    order = {"order_id": 7, "total": 30, "revenue": 25, "discount": 2, "currency": "EUR", "coupon": "", "list_id": "l"}
    event = track(event="Order Completed", properties={**order, "request_id": "r", "products": [product]})
    assert event.order == OrderFacts("7", 30.0, 2.0, "EUR", None)
    assert event.lines == (Line("p", 3.0, 2.5, 1.0, 2),)
    assert (event.list_id, event.request_id) == ("l", "r")
    assert decode(encode(event)) == event


def test_a_refund_is_of_the_products_it_names_or_of_the_whole_order_and_of_a_kind_of_its_own() -> None:
    part = {"order_id": 7, "total": 5, "products": [{"product_id": "p", "quantity": 2}]}
    event = track(event="Order Refunded", properties=part)
    assert (event.kind, event.order, event.lines) == ("refund", OrderFacts("7", 5.0), (Line("p", 2.0),))
    assert decode(encode(event)) == event
    for whole in (
        track(event="Order Refunded", properties={"order_id": "7"}),
        track(event="refund", params={"transaction_id": "7"}, properties=None),
    ):
        assert (whole.kind, whole.order, whole.lines) == ("refund", OrderFacts("7"), ())


@pytest.mark.parametrize(
    ("told", "value"),
    [({"revenue": 9, "value": 8}, 9.0), ({"value": 8}, 8.0), ({"total": 0, "revenue": 9}, 0.0), ({}, None)],
)
def test_an_order_is_worth_its_total_else_its_revenue_else_its_value(told: dict[str, int], value: float | None) -> None:
    order = track(event="Order Completed", properties={"order_id": "o", **told}).order
    assert order is not None
    assert order.value == value


@pytest.mark.parametrize(
    ("call", "field"),
    [
        ({"event": "Order Completed", "properties": {"products": []}}, "properties.order_id"),
        ({"event": "Order Completed", "properties": None}, "properties.order_id"),
        ({"event": "purchase", "properties": {"order_id": "o"}}, "properties.transaction_id"),
        ({"event": "purchase", "params": {"value": 3}}, "params.transaction_id"),
        ({"event": "Order Refunded", "properties": {"products": []}}, "properties.order_id"),
        ({"event": "refund", "params": {"value": 3}}, "params.transaction_id"),
        ({"event": "add_to_cart", "params": {"items": []}}, "params.items"),
        ({"event": "view_item", "properties": {"items": [{"price": 1}]}}, "properties.items[0]"),
        ({"event": "view_cart", "properties": {"items": [{"item_id": "p", "price": -1}]}}, "properties.items[0].price"),
        ({"event": "Product Clicked", "properties": {"product_id": "p", "position": -1}}, "properties.position"),
        ({"event": "Cart Viewed", "properties": {"products": [{"product_id": "p"}] * 10_000}}, "body"),
    ],
)
def test_what_an_event_s_name_demands_is_demanded(call: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        track(**({"properties": None} | call))
    assert refused.value.field == field


GA4_ITEM = {"item_id": "p", "price": 2.0, "quantity": 3, "discount": 0.5, "index": 0}


@pytest.mark.parametrize("place", ["properties", "params"])
@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("view_item", "Product Viewed"),
        ("add_to_cart", "Product Added"),
        ("remove_from_cart", "Product Removed"),
        ("view_cart", "Cart Viewed"),
        ("begin_checkout", "Checkout Started"),
        ("purchase", "Order Completed"),
        ("view_item_list", "Product List Viewed"),
        ("select_item", "Product Clicked"),
        ("refund", "Order Refunded"),
    ],
)
def test_ga4_s_events_become_segment_s(theirs: str, ours: str, place: str) -> None:
    told = {"items": [GA4_ITEM], "transaction_id": "t", "value": 6, "currency": "EUR", "item_list_id": "l"}
    event = track(event=theirs, **({"properties": None} | {place: told}))
    assert (event.name, event.lines, event.list_id) == (ours, (Line("p", 3.0, 2.0, 1.5, 1),), "l")
    assert event.order == (OrderFacts("t", 6.0, 1.5, "EUR", None) if theirs in {"purchase", "refund"} else None)


def test_what_a_custom_event_says_is_its_own_affair() -> None:
    event = track(event="Video Played", properties={"price": "free", "products": 7, "step": "intro", "quantity": -1})
    assert (event.name, event.lines, event.checkout_step) == ("Video Played", (), None)


@pytest.mark.parametrize(
    ("endpoint", "kind"),
    [("page", "page"), ("screen", "other"), ("group", "other"), ("identify", "identify"), ("track", "track")],
)
def test_each_call_has_its_kind(endpoint: Endpoint, kind: str) -> None:
    (event,) = parse(json.dumps(ADDED).encode(), endpoint, NOW, EVENTS)
    assert event.kind == kind


def test_an_alias_says_who_was_who() -> None:
    (event,) = parse(b'{"userId": "u", "previousId": "anonymous-1"}', "alias", NOW, EVENTS)
    assert (event.kind, event.shopper_id, event.previous_id, event.session_id) == ("alias", "u", "anonymous-1", "u")
    for body, field in ((b'{"userId": "u"}', "previousId"), (b'{"previousId": "a"}', "userId")):
        with pytest.raises(InvalidEventError) as refused:
            parse(body, "alias", NOW, EVENTS)
        assert refused.value.field == field


def test_traits_are_told_as_text_and_bounded() -> None:
    traits: dict[str, Any] = {
        "age": 41,
        "vip": True,
        "name": "Zoë\x00",
        "long": "x" * 999,
        "skipped": [1],
        "none": None,
    }
    (event,) = parse(json.dumps({"userId": "u", "traits": traits}).encode(), "identify", NOW, EVENTS)
    assert event.traits == {"age": "41", "vip": "true", "name": "Zoë", "long": "x" * LONGEST_TRAIT}
    many = {"userId": "u", "traits": {f"t{number}": number for number in range(1_000)}}
    (event,) = parse(json.dumps(many).encode(), "identify", NOW, EVENTS)
    assert len(event.traits) == MOST_TRAITS


def test_where_a_visit_comes_from_is_kept() -> None:
    page, location = {"url": "https://shop/p", "referrer": "https://search/"}, {"country": "NL", "region": "NH"}
    event = track(channel="mobile", context={"page": page, "location": location, "device": {"type": "ios"}})
    expected = {"url": page["url"], "referrer": page["referrer"], "device": "ios", "channel": "mobile"}
    assert event.context == location | expected
    assert track(channel="mobile", context={"channel": "till"}).context == {"channel": "till"}


def test_a_batch_of_too_many_calls_is_refused() -> None:
    with pytest.raises(InvalidEventError) as refused:
        parse(json.dumps({"batch": [{}] * 2_501}).encode(), "batch", NOW, EVENTS)
    assert refused.value.field == "batch"


@pytest.mark.parametrize(
    ("batch", "field"),
    [
        ({}, "body"),
        ({"batch": []}, "batch"),
        ({"batch": {}}, "batch"),
        ({"batch": [ADDED]}, "batch[0].type"),
        ({"batch": ["text"]}, "batch[0]"),
        ({"batch": [ADDED | {"type": "track"}, ADDED | {"type": "track", "event": None}]}, "batch[1].event"),
        ({"batch": [ADDED | {"type": "track", "anonymousId": None}]}, "batch[0].anonymousId"),
        ({"batch": [ADDED | {"type": "track", "filler": "x" * 40_000}]}, "batch[0]"),
        ({"batch": [ADDED | {"type": "track", "timestamp": "1970-01-01T00:00:00Z"}]}, "batch[0].timestamp"),
    ],
)
def test_what_is_wrong_with_a_batch_is_named(batch: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidEventError) as refused:
        parse(json.dumps(batch).encode(), "batch", NOW, EVENTS)
    assert refused.value.field == field


def test_an_event_of_just_the_largest_size_is_taken() -> None:
    largest = EVENTS.max_event_kb * 1024
    filler = largest - len(json.dumps(ADDED | {"filler": ""}))
    assert track(filler="x" * filler).name == "Product Added"
    with pytest.raises(InvalidEventError, match=f"{largest + 1} bytes, at most {largest}"):
        track(filler="x" * (filler + 1))


def test_an_identify_call_tells_the_shopper_and_no_products() -> None:
    (event,) = parse(b'{"userId": 7, "anonymousId": "a"}', "identify", NOW, EVENTS)
    assert (event.kind, event.shopper_id, event.session_id, event.lines) == ("identify", "7", "a", ())


def test_what_is_not_told_has_a_default() -> None:
    event = track()
    assert (event.occurred_at, event.lines) == (NOW, (Line("p1", 1.0, None),))
    assert (event.shopper_id, event.checkout_step, event.context) == (None, None, {})


def test_a_client_whose_clock_runs_backwards_is_not_put_into_the_future() -> None:
    assert track(timestamp=rfc3339(NOW + 60), sentAt=rfc3339(NOW)).occurred_at == NOW


def test_half_a_letter_in_free_text_is_dropped_and_the_call_taken() -> None:
    half = b'{"event":"x","anonymousId":"a","context":{"device":{"type":"\\ud800"},"channel":"w\\udfffeb"}}'
    (event,) = parse(half, "track", NOW, EVENTS)
    assert event.context == {"channel": "web"}


def test_context_is_cut_and_cleaned_rather_than_refused() -> None:
    event = track(context={"page": {"referrer": "https://\x00shop/" + "x" * 500}, "device": {"type": ""}})
    assert set(event.context) == {"referrer"}
    assert event.context["referrer"].startswith("https://shop/x")
    assert len(event.context["referrer"]) == LONGEST_CONTEXT
