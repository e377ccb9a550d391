"""What browsers and CDNs may keep, and the answer that a session is given twice."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import redis.asyncio
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from events.contract import Event
from events.embedded import EmbeddedRedis
from events.profiles import ProfileStore
from features.segments import SEGMENTS
from serving.answers import RecentAnswers
from serving.app import make_app
from serving.caching import tag_of
from serving.schema import Fallback, RecommendationAnswer, RecommendationRequest
from serving.state import Known
from tests.events.builders import event
from tests.support.access import on_redis, with_access
from training.package import ModelPackage


@pytest.fixture(scope="module")
def settings(built_shop: Settings, redis_server: EmbeddedRedis) -> Settings:
    """Settings under which an answer of a session is kept for as long as a test takes."""
    serving = built_shop.serving.model_copy(update={"redis_timeout_ms": 1_000.0, "answer_cache_seconds": 600.0})
    return on_redis(built_shop, redis_server.url).model_copy(update={"serving": serving})


@pytest.fixture(scope="module")
def client(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    with TestClient(make_app(settings, package)) as client:
        yield client


@pytest.mark.parametrize(
    "path", ["/v1/products", "/v1/products?q=a&limit=3", "/v1/popular", "/v1/popular?k=3&segment=new"]
)
def test_what_has_not_changed_is_not_sent_again(client: TestClient[Litestar], path: str) -> None:
    first = client.get(path)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "public, max-age=60"
    for asked in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = client.get(path, headers={"If-None-Match": asked})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert "content-type" not in again.headers or "json" not in again.headers["content-type"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).json() == first.json()


def test_a_tag_tells_model_and_parameters_apart(client: TestClient[Litestar], package: ModelPackage) -> None:
    paths = ["/v1/products", "/v1/products?q=a", "/v1/products?limit=3", "/v1/popular", "/v1/popular?k=3"]
    paths += [f"/v1/popular?segment={segment}" for segment in SEGMENTS]
    assert len({client.get(path).headers["etag"] for path in paths}) == len(paths)
    assert client.get("/v1/popular?k=3").headers["etag"] == tag_of("popular", package.version, 3)
    assert tag_of("popular", "v1", 3) != tag_of("popular", "v2", 3)
    assert tag_of("ab", "c") != tag_of("a", "bc")


@pytest.mark.parametrize("origins", [["https://shop.example"], ["*"]])
def test_a_cdn_keeps_answers_for_other_pages_apart_only_where_pages_may_call(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar], origins: list[str]
) -> None:
    assert "vary" not in client.get("/v1/popular").headers
    with TestClient(make_app(with_access(settings, origins=origins), package)) as opened:
        for headers in ({}, {"Origin": "https://shop.example"}, {"Origin": "https://other.example"}):
            answer = opened.get("/v1/popular", headers=headers)
            assert answer.headers["vary"] == "Origin"


def test_popular_is_what_sells_most_of_what_is_in_stock(client: TestClient[Litestar], package: ModelPackage) -> None:
    matrix, items = package.matrix, client.get("/v1/popular?k=20").json()["items"]
    in_stock = [p for p in range(len(package.products)) if matrix.catalogue.in_stock[p]]
    expected = sorted(in_stock, key=lambda row: -matrix.stats.popularity[row])[:20]
    assert [item["product_id"] for item in items] == [package.products.ids[row] for row in expected]
    assert all(item["in_stock"] for item in items)


def test_popular_by_segment_is_what_recommendations_fall_back_to(
    client: TestClient[Litestar], package: ModelPackage
) -> None:
    sets = {name: client.get(f"/v1/popular?segment={name}&k=30").json()["items"] for name in SEGMENTS}
    for place, name in enumerate(SEGMENTS):
        assert [item["product_id"] for item in sets[name]] == [
            package.products.ids[row] for row in package.popular[place][:30]
        ]
        assert all(item["in_stock"] for item in sets[name])
    nobody = ask(client, cart=[], arm="segment_popularity", k=30)
    assert [item["product_id"] for item in nobody["items"]] == [item["product_id"] for item in sets["unknown"]]
    assert nobody["items"][0]["title"] == sets["unknown"][0]["title"]


@pytest.mark.parametrize("segment", ["vip", "", "New", "null"])
def test_a_segment_that_there_is_none_of_is_refused_with_those_there_are(
    client: TestClient[Litestar], segment: str
) -> None:
    answer = client.get("/v1/popular", params={"segment": segment})
    assert answer.status_code == 400
    assert answer.json() == {
        "error": {"field": "segment", "reason": f"is {segment!r}, expected one of unknown, new, regular, lapsed"}
    }
    (described,) = [
        one
        for one in client.get("/schema/openapi.json").json()["paths"]["/v1/popular"]["get"]["parameters"]
        if one["name"] == "segment"
    ]
    assert set(described["schema"]["enum"]) == set(SEGMENTS)


def apply(settings: Settings, *events: Event) -> None:
    async def inside() -> None:
        async with redis.asyncio.Redis.from_url(settings.redis_url) as opened:
            await ProfileStore(opened, settings.events).apply(events)

    asyncio.run(inside())


def ask(client: TestClient[Litestar], **request: Any) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json={"k": 5} | request)
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def test_a_page_that_is_drawn_twice_is_given_one_answer(client: TestClient[Litestar]) -> None:
    session = uuid.uuid4().hex
    first = ask(client, session_id=session, cart=[])
    assert ask(client, session_id=session, cart=[]) == first
    others: list[dict[str, Any]] = [
        {"session_id": session + "x", "cart": []},
        {"session_id": session, "cart": [], "k": 4},
        {"session_id": session, "cart": [], "arm": "popularity"},
        {"session_id": session, "cart": [], "checkout_step": 2},
        {"session_id": session, "cart": [], "shopper_id": "m001"},
        {"session_id": session, "cart": [], "context": {"country": "NL"}},
        {"session_id": session, "cart": [{"product_id": first["items"][0]["product_id"]}]},
        {"session_id": session},
        {"session_id": session, "cart": [], "at": "2017-12-05T10:00:00Z"},
    ]
    ids = {ask(client, **other)["request_id"] for other in others}
    assert len(ids - {first["request_id"]}) == len(others)


@pytest.mark.parametrize(
    "request_body", [{"cart": []}, {"shopper_id": "m001"}, {"session_id": "at", "at": "2017-12-05T10:00:00Z"}]
)
def test_two_who_are_not_known_to_be_one_session_are_answered_apart(
    client: TestClient[Litestar], request_body: dict[str, Any]
) -> None:
    assert ask(client, **request_body)["request_id"] != ask(client, **request_body)["request_id"]


def test_an_event_of_the_session_ends_the_answer_in_every_worker(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar]
) -> None:
    session, products = uuid.uuid4().hex, package.products.ids
    with TestClient(make_app(settings, package)) as another:
        seen = set()
        for n, told in enumerate(
            [
                event("Product Added", products[0], message="1", session=session, at=package.as_of),
                event("Product Viewed", products[1], message="2", session=session, at=package.as_of + 1),
                event("Checkout Step Viewed", message="3", session=session, step=2, at=package.as_of + 2),
                event("Order Completed", products[0], message="4", session="till", shopper="m001", at=package.as_of),
            ]
        ):
            for worker in (client, another):
                first = ask(worker, session_id=session, shopper_id="m001")
                assert ask(worker, session_id=session, shopper_id="m001") == first
                seen.add(first["request_id"])
            apply(settings, told)
            assert len(seen) == 2 * (n + 1)


def test_a_shopper_whom_only_the_session_knows_ends_the_answer_too(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar]
) -> None:
    session = uuid.uuid4().hex
    apply(settings, event("Product Viewed", "x", message="1", session=session, shopper="m002", at=package.as_of))
    first = ask(client, session_id=session)
    assert ask(client, session_id=session) == first
    apply(settings, event("Order Completed", "x", message="2", session="till-2", shopper="m002", at=package.as_of))
    assert ask(client, session_id=session)["request_id"] != first["request_id"]


QUESTION = RecommendationRequest(session_id="s", cart=[])
KNOWN = replace(Known(None, None, digest=b"1"))  # type: ignore[arg-type]  # the shopper's state is not looked at
ANSWER = RecommendationAnswer("r", "v", "rules", "model", [], None)


def kept(recent: RecentAnswers, session: str = "s", answer: RecommendationAnswer = ANSWER) -> bool:
    """Return whether the answer to a session was kept; keep it now."""
    name, found = recent.find(RecommendationRequest(session_id=session, cart=[]), KNOWN, "v")
    recent.keep(name, answer)
    return found is not None


def test_answers_end_with_their_time_and_the_oldest_go_first() -> None:
    now = [0.0]
    recent = RecentAnswers(2.0, 2, lambda: now[0])
    assert [kept(recent, s) for s in ("a", "a", "b", "a", "c", "a", "b")] == [0, 1, 0, 1, 0, 1, 0]
    now[0] = 1.9
    assert recent.find(RecommendationRequest(session_id="b", cart=[]), KNOWN, "v")[1] is ANSWER
    now[0] = 2.0
    assert recent.find(RecommendationRequest(session_id="b", cart=[]), KNOWN, "v")[1] is None


def test_another_model_gives_another_answer_and_degraded_ones_are_not_kept() -> None:
    recent = RecentAnswers(2.0, 9)
    assert not kept(recent)
    assert recent.find(QUESTION, KNOWN, "v")[1] is ANSWER
    assert recent.find(QUESTION, KNOWN, "w")[1] is None
    assert recent.find(QUESTION, replace(KNOWN, digest=b"2"), "v")[1] is None
    assert recent.find(QUESTION, replace(KNOWN, digest=None), "v") == (None, None)
    degraded = RecommendationAnswer("r", "v", "rules", "model", [], Fallback("model", "why", "session_only"))
    assert [kept(recent, "d", degraded) for _ in range(2)] == [False, False]
    assert [kept(RecentAnswers(0.0, 9)) for _ in range(2)] == [False, False]
