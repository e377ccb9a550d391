"""From HTTP bodies to events: what is accepted, how time is corrected, what is refused and how clearly."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.collector import LONGEST_CONTEXT, Endpoint, parse
from events.contract import Event, InvalidEventError, Line, decode, encode
from tests.events.builders import EVENTS, NOW

ADDED = {"event": "Product Added", "anonymousId": "a", "properties": {"product_id": "p1"}}


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
    assert [event.kind for event in found] == ["identify", "track", "other"]
    assert found[0].occurred_at == NOW - 5


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
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


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"event": "\xc3\x28"}',
        b'{"event":"Product Added","anonymousId":"a","properties":{"product_id":"p","price":NaN}}',
        b'{"event":"Product Added","anonymousId":"a","properties":{"product_id":"p","quantity":Infinity}}',
        b'{"event":"Product Added","anonymousId":"a","properties":{"product_id":"p","quantity":1e999}}',
        b'{"event":"Product Added","anonymousId":' + b"9" * 5_000 + b',"properties":{"product_id":"p"}}',
        b'{"event":"x","anonymousId":"a","context":{"device":{"type":"\\ud800"}}}',
        b'{"anonymousId":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"event":"x","anonymousId":"' + b"a" * 40_000 + b'"}',
        json.dumps({"event": "Cart Viewed", "anonymousId": "a", "properties": {"products": [{}] * 2}}).encode(),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_hostile_bodies_are_refused_with_a_reason(body: bytes) -> None:
    with pytest.raises(InvalidEventError) as refused:
        parse(body, "track", NOW, EVENTS)
    assert refused.value.field
    assert refused.value.reason


def test_one_bad_item_refuses_the_batch_and_is_named_by_its_index() -> None:
    calls = [{"type": "track", **ADDED}, {"type": "track", **ADDED, "properties": {"product_id": "p", "quantity": -1}}]
    with pytest.raises(InvalidEventError) as refused:
        parse(json.dumps({"batch": calls}).encode(), "batch", NOW, EVENTS)
    assert refused.value.field == "batch[1].properties.quantity"


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


def test_context_is_cut_and_cleaned_rather_than_refused() -> None:
    event = track(context={"page": {"referrer": "https://\x00shop/" + "x" * 500}, "device": {"type": ""}})
    assert set(event.context) == {"referrer"}
    assert event.context["referrer"].startswith("https://shop/x")
    assert len(event.context["referrer"]) == LONGEST_CONTEXT


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "properties", "context", "type", "batch"]
)
inner_names = st.sampled_from(["product_id", "quantity", "price", "products", "step", "sessionId", "device", "page"])
plausible = anything | st.dictionaries(inner_names, anything) | st.datetimes().map(datetime.isoformat)
bodies = anything | st.dictionaries(names, plausible)
endpoints: st.SearchStrategy[Endpoint] = st.sampled_from(["track", "identify", "batch"])


@given(bodies, endpoints, st.booleans())
def test_any_json_is_either_accepted_or_refused_by_name(body: Any, endpoint: Endpoint, wrapped: bool) -> None:
    raw = json.dumps({"batch": [body]} if wrapped else body).encode()
    with contextlib.suppress(InvalidEventError):  # anything else fails the test
        found = parse(raw, endpoint, NOW, EVENTS)
        assert found
        assert [decode(encode(event)) for event in found] == found


@given(st.binary(), endpoints)
def test_any_bytes_are_either_accepted_or_refused(raw: bytes, endpoint: Endpoint) -> None:
    with contextlib.suppress(InvalidEventError):
        parse(raw, endpoint, NOW, EVENTS)
