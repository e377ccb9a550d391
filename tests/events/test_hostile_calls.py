"""Whatever bytes are sent: taken, or refused with the field and the reason."""

from __future__ import annotations

import contextlib
import json
import operator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.collector import Endpoint, collect, parse
from events.contract import InvalidEventError, decode, encode
from tests.events.builders import ADDED, EVENTS, NOW


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
        b'{"event":"x","anonymousId":"\\ud800"}',
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


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_costs_its_own_call_only(number: str) -> None:
    good, bad = json.dumps({"type": "track", **ADDED}), json.dumps({"type": "track", **ADDED}).replace('"p1"', number)
    found = collect(f'{{"batch": [{good}, {bad}, {good}]}}'.encode(), "batch", NOW, EVENTS)
    assert len(found.events) == 2
    bad_price = json.dumps({"type": "track", **ADDED, "properties": {"product_id": "p", "price": 0}})
    bad_price = bad_price.replace("0}", f"{number}}}")
    (rejected,) = collect(f'{{"batch": [{bad_price}]}}'.encode(), "batch", NOW, EVENTS).rejected
    assert rejected.field == "batch[0].properties.price"
    assert f"{number} is no number" in rejected.body.decode()


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    [
        *("event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "properties", "context", "type"),
        *("batch", "params", "traits", "previousId", "channel"),
    ]
)
inner_names = st.sampled_from(
    ["product_id", "quantity", "price", "products", "step", "sessionId", "device", "page", "items", "order_id"]
)
plausible = anything | st.dictionaries(inner_names, anything) | st.datetimes().map(datetime.isoformat)
known = st.fixed_dictionaries(
    {"event": st.sampled_from(["Product Added", "Order Completed", "purchase", "view_item"]), "userId": st.text()}
)
bodies = (
    anything | st.dictionaries(names, plausible) | st.builds(operator.or_, st.dictionaries(names, plausible), known)
)
endpoints: st.SearchStrategy[Endpoint] = st.sampled_from(["track", "identify", "alias", "page", "batch"])


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
