"""The collector over HTTP: what is answered, what is durable, what is kept of what was refused, and never a 500."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from segment.analytics.client import Client

from configs import load_settings
from events.embedded import EmbeddedRedis
from serving.routes.collect import SINGLE_CALLS
from tests.support.access import key
from tests.support.collecting import Collecting, collecting
from tests.support.live import Live
from tests.support.ports import free_port
from tests.support.waiting import wait_until

ADDED = {"type": "track", "event": "Product Added", "anonymousId": "a", "properties": {"product_id": "p"}}
REFUSED = {400, 401, 413, 415}


@pytest.fixture(scope="module")
def server(redis_server: EmbeddedRedis) -> Iterator[Collecting]:
    """A collector that asks for no key."""
    with collecting(load_settings(redis={"url": redis_server.url})) as running:
        yield running


@pytest.fixture
def collector(server: Collecting) -> Collecting:
    """That collector, its broker empty."""
    with redis.Redis.from_url(server.settings.redis_url) as client:
        client.flushall()
    return server


def post(collector: Collecting, path: str, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{collector.url}{path}", content=content, headers=headers, timeout=30)


@pytest.mark.parametrize("kind", SINGLE_CALLS)
def test_each_kind_of_call_is_durable_when_it_is_answered(collector: Collecting, kind: str) -> None:
    body = ADDED | {"messageId": "m", "userId": "u", "previousId": "a"}
    answer = post(collector, f"/v1/{kind}", body)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert [event.message_id for event in collector.events()] == ["m"]


def test_a_batch_is_taken_call_by_call(collector: Collecting) -> None:
    bad = ADDED | {"properties": {"product_id": "p", "price": -1}}
    answer = post(collector, "/v1/batch", {"batch": [ADDED, bad, ADDED, {"type": "page"}]})
    assert answer.status_code == 200
    told = answer.json()
    assert (told["success"], told["accepted"], len(collector.events())) == (True, 2, 2)
    assert [(call["index"], call["field"]) for call in told["rejected"]] == [
        (1, "batch[1].properties.price"),
        (3, "batch[3].anonymousId"),
    ]
    kept = collector.dead_letters()
    assert [(letter.field, letter.reason) for letter in kept] == [
        (call["field"], call["reason"]) for call in told["rejected"]
    ]
    assert json.loads(kept[0].body)["batch"] == [bad]


def test_a_batch_without_a_valid_call_is_refused_with_the_first_reason_and_kept(collector: Collecting) -> None:
    answer = post(collector, "/v1/batch", {"batch": [ADDED | {"event": None}, {"type": "page"}]})
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "batch[0].event"
    assert (len(collector.events()), len(collector.dead_letters())) == (0, 2)


def test_a_gzipped_body_is_taken_and_a_bomb_is_not(collector: Collecting) -> None:
    body = gzip.compress(json.dumps({"batch": [ADDED]}).encode())
    assert post(collector, "/v1/batch", body, **{"Content-Encoding": "gzip"}).json()["accepted"] == 1
    for bomb in (b" " * 10_000_000, b'{"batch":[' + b"1," * 5_000_000):
        answer = post(collector, "/v1/batch", gzip.compress(bomb), **{"Content-Encoding": "gzip"})
        assert answer.status_code == 413
        assert "512000 bytes" in answer.json()["error"]["reason"]
    assert (len(collector.events()), collector.dead_letters()) == (1, [])


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Encoding": "br"}, b"{}", 415),
        ({"Content-Encoding": "gzip"}, b"{}", 400),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"{}" * 99, mtime=0)[:-9], 400),
        ({}, b"x" * 10_000_000, 413),
        ({}, b'{"batch":[' + b"[" * 200_000 + b"]}", 400),
        ({}, b'{"batch":[' + b"[" * 20_000 + b"]" * 20_000 + b"]}", 400),
        ({}, b'{"batch":' + b'{"a":' * 50_000, 400),
        ({}, b"\x00" * 1_000, 400),
        ({}, b'{"batch":[' + b"{}," * 100_000 + b"{}]}", 400),
    ],
)
def test_a_hostile_body_is_refused(collector: Collecting, headers: dict[str, str], body: bytes, status: int) -> None:
    answer = post(collector, "/v1/batch", body, **headers)
    assert answer.status_code == status
    assert answer.json()["error"]["reason"]
    assert collector.events() == []


@pytest.mark.parametrize(
    ("change", "taken"),
    [
        ({"properties": {"product_id": "p", "price": -3}}, False),
        ({"properties": {"product_id": "p", "price": float("nan")}}, False),
        ({"properties": {"product_id": "p", "price": float("inf")}}, False),
        ({"timestamp": "1970-01-01T00:00:00Z"}, False),
        ({"timestamp": "2100-01-01T00:00:00Z"}, False),
        ({"event": "Cart Viewed", "properties": {"products": [{"product_id": 1}] * 10_000}}, False),
        ({"event": "Cart Viewed", "properties": {"products": [{"product_id": 1}] * 900}}, True),
        ({"anonymousId": "a\x00b"}, False),
        ({"anonymousId": "\ud800"}, False),
        ({"anonymousId": "séance-☃-🛒-продукт", "properties": {"product_id": "品"}}, True),
        ({"anonymousId": "a" * 300}, False),
        ({"context": {"deep": json.loads("[" * 500 + "]" * 500)}}, True),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_a_hostile_call_is_refused_or_stored_and_costs_no_other_call(
    collector: Collecting, change: dict[str, Any], taken: bool
) -> None:
    answer = post(collector, "/v1/batch", {"batch": [ADDED, ADDED | change, ADDED]})
    assert answer.status_code == 200
    assert answer.json()["accepted"] == len(collector.events()) == (3 if taken else 2)
    assert [call["index"] for call in answer.json()["rejected"]] == ([] if taken else [1])


def test_a_body_that_comes_in_pieces_without_its_length_is_bounded_too(collector: Collecting) -> None:
    pieces = (b"x" * 100_000 for _ in range(100))
    try:
        status = httpx.post(f"{collector.url}/v1/batch", content=pieces, timeout=30).status_code
    except httpx.WriteError:
        status = 413  # the server hung up on what it would not read
    assert status == 413
    assert post(collector, "/v1/track", ADDED).status_code == 200


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
calls = st.builds(
    lambda change: ADDED | change, st.dictionaries(st.sampled_from(sorted([*ADDED, "context"])), anything)
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from([*SINGLE_CALLS, "batch"]), anything | st.fixed_dictionaries({"batch": st.lists(calls)}), st.data()
)
def test_whatever_is_sent_is_accepted_or_refused(
    collector: Collecting, path: str, body: Any, data: st.DataObject
) -> None:
    headers = data.draw(st.sampled_from([{}, {"Content-Encoding": "gzip"}, {"Authorization": "Basic \x7f"}]))
    answer = post(collector, f"/v1/{path}", body, **headers)
    assert answer.status_code in {200} | REFUSED


def test_a_key_is_asked_for_where_there_is_one(redis_url: str) -> None:
    with collecting(
        load_settings(redis={"url": redis_url}, access={"keys": [key("shop", "collect", secret="k")]})
    ) as collector:
        refused = post(collector, "/v1/track", ADDED)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert "HTTP basic" in refused.json()["error"]["reason"]
        assert post(collector, "/v1/track", ADDED | {"writeKey": "k"}).status_code == 200
        assert httpx.post(f"{collector.url}/v1/track", json=ADDED, auth=("k", "")).status_code == 200
        assert (len(collector.events()), collector.dead_letters()) == (2, [])


def test_nothing_is_confirmed_while_the_broker_is_away() -> None:
    with collecting(load_settings(redis={"url": f"redis://127.0.0.1:{free_port()}/0"})) as collector:
        for body in ({"batch": [ADDED]}, {"batch": [{"type": "page"}]}):
            assert post(collector, "/v1/batch", body).status_code == 503


@pytest.mark.e2e
def test_what_a_segment_client_sends_shows_in_the_next_recommendation(live_service: Live) -> None:
    session = uuid.uuid4().hex

    def recommended() -> list[str]:
        answer = live_service.post("/v1/recommendations", {"session_id": session, "k": 5}).json()
        return [item["product_id"] for item in answer["items"]]

    first = recommended()[0]
    client = Client("key", host=live_service.url, gzip=True, max_retries=0)
    client.track(anonymous_id=session, event="add_to_cart", properties={"items": [{"item_id": first}]})
    client.join()
    wait_until(lambda: first not in recommended())
