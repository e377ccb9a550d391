"""What the service answers while Redis is away or holds garbage: always something, and saying so."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
import redis.asyncio
from litestar import Litestar
from litestar.testing import TestClient
from structlog.testing import capture_logs

from configs import Settings
from events.contract import Event, OrderFacts
from events.embedded import EmbeddedRedis
from events.profiles import ProfileStore
from events.session import session_key
from events.shopper import shopper_key
from features.online import ShopperReader
from features.segments import SEGMENTS
from serving.app import make_app, make_bare_app
from serving.bare import LAST_RESORT, save_last_resort
from serving.ladder import Step
from serving.state import Known, StateReader
from tests.events.builders import event
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from training.package import ModelPackage
from training.recommender import Recommender

ASK = {"session_id": "s", "shopper_id": "m001", "cart": [], "k": 5}
TRACK = {"event": "Product Viewed", "anonymousId": "a", "properties": {"product_id": "p"}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of its own, which a test may stop."""
    with EmbeddedRedis(free_port(), tmp_path) as running:
        yield running


@pytest.fixture
def settings(server: EmbeddedRedis, built_shop: Settings) -> Settings:
    """Settings with that Redis, which do not depend on how fast this machine is."""
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": server.url}),
        "serving": built_shop.serving.model_copy(update={"redis_timeout_ms": 250.0, "deadline_ms": 20_000.0}),
    }
    return built_shop.model_copy(update=changed)


@pytest.fixture
def client(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    """The application in this process, on that Redis."""
    with TestClient(make_app(settings, package)) as client:
        yield client


def ask(client: TestClient[Litestar]) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json=ASK)
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    assert len(body["items"]) == 5
    return body


def test_redis_away_is_answered_from_the_request_alone_and_recovery_is_automatic(
    client: TestClient[Litestar], server: EmbeddedRedis
) -> None:
    assert ask(client)["fallback"] is None
    server.stop()
    degraded = ask(client)
    assert degraded["fallback"]["reason"].startswith("state unavailable")
    assert client.get("/v1/status").json()["redis"] is False
    refused = client.post("/v1/track", json=TRACK)
    assert refused.status_code == 503
    assert "did not accept" in refused.json()["error"]["reason"]
    server.start()
    wait_until(lambda: ask(client)["fallback"] is None)
    assert client.post("/v1/track", json=TRACK).status_code == 200


def spoil_session(raw: Any) -> None:
    raw.set(session_key("s"), b"\xc1garbage")


def spoil_session_type(raw: Any) -> None:
    raw.delete(session_key("s"))
    raw.rpush(session_key("s"), "no string")


def spoil_features(raw: Any) -> None:
    reader = ShopperReader()
    raw.hset(reader.key("m001"), mapping=dict.fromkeys(reader.fields, b"\xff\xff garbage"))


def spoil_orders(raw: Any) -> None:
    raw.set(shopper_key("m001"), b"\xc1garbage")


@dataclass(frozen=True)
class Spoiled:
    """What is spoiled, what the answer says of it, and what is still known: the session, and so many orders."""

    spoil: Callable[[Any], None]
    reason: str
    step: Step
    session: bool
    orders: int


@pytest.mark.parametrize(
    "case",
    [
        Spoiled(spoil_session, "session unreadable", "request_only", session=False, orders=1),
        Spoiled(spoil_session_type, "session unreadable", "request_only", session=False, orders=1),
        Spoiled(spoil_features, "shopper unreadable", "session_only", session=True, orders=0),
        Spoiled(spoil_orders, "orders of today unreadable", "session_only", session=True, orders=0),
    ],
    ids=lambda case: case.spoil.__name__,
)
def test_garbage_in_one_key_costs_what_lies_there_and_nothing_else(
    client: TestClient[Litestar], server: EmbeddedRedis, settings: Settings, package: ModelPackage, case: Spoiled
) -> None:
    product, now = package.products.ids[0], package.as_of + 10.0
    bought = event("Order Completed", product, at=now, message="o", session="t", shopper="m001", order=OrderFacts("o"))
    asyncio.run(fill(settings, [bought, event("Product Added", product, at=now, session="s")]))
    with redis.Redis.from_url(server.url) as raw:
        case.spoil(raw)
    assert ask(client)["fallback"] == {"arm": "model", "reason": case.reason, "step": case.step}
    known = asyncio.run(read(settings, package, now + 10))
    assert (known.session is not None and known.session.cart == {product: 1.0}) == case.session
    assert (known.shopper.orders, known.missing, known.step) == (case.orders, case.reason, case.step)


async def fill(settings: Settings, events: Sequence[Event]) -> None:
    async with redis.asyncio.Redis.from_url(settings.redis_url) as raw:
        await ProfileStore(raw, settings.events).apply(events)


async def read(settings: Settings, package: ModelPackage, now: float) -> Known:
    reader = StateReader(settings)
    try:
        return await reader.read("s", "m001", now, package.matrix)
    finally:
        await reader.close()


def test_a_redis_that_hangs_is_left_alone_after_a_few_requests_and_asked_again_later(
    client: TestClient[Litestar], server: EmbeddedRedis
) -> None:
    assert ask(client)["fallback"] is None
    assert server.pid is not None
    os.kill(server.pid, signal.SIGSTOP)
    try:
        reasons = [ask(client)["fallback"]["reason"] for _ in range(7)]
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert reasons[:5] == ["state unavailable (TimeoutError)"] * 5
    assert reasons[5:] == ["state unavailable (circuit open)"] * 2
    assert client.get("/v1/status").json()["breaker"] == "open"
    wait_until(lambda: ask(client)["fallback"] is None)
    assert client.get("/v1/status").json()["breaker"] == "closed"


def in_body(deadline: Any) -> dict[str, Any]:
    return {"json": ASK | {"deadline_ms": deadline}}


def in_header(deadline: Any) -> dict[str, Any]:
    return {"json": ASK, "headers": {"X-Deadline-Ms": str(deadline)}}


@pytest.mark.parametrize("told", [in_body, in_header])
def test_without_time_the_popular_set_of_the_segment_answers_but_for_the_cart(
    client: TestClient[Litestar], package: ModelPackage, told: Callable[[Any], dict[str, Any]]
) -> None:
    popular = [package.products.ids[row] for row in package.popular[SEGMENTS.index("unknown")]]
    asked = told(0.001)
    asked["json"] |= {"session_id": None, "cart": [{"product_id": product} for product in popular[:3]]}
    answer = client.post("/v1/recommendations", **asked).json()
    assert [item["product_id"] for item in answer["items"]] == popular[3:8]
    assert answer["fallback"]["step"] == "popular"
    assert answer["fallback"]["reason"].endswith("model over budget")
    for wrong in (0, -5, "soon", 1e9):
        refused = client.post("/v1/recommendations", **told(wrong))
        assert refused.status_code == 400
        assert "deadline" in refused.json()["error"]["field"].lower()


def test_a_client_cannot_open_the_breaker_for_others_by_leaving_no_time(client: TestClient[Litestar]) -> None:
    for _ in range(20):
        assert client.post("/v1/recommendations", **in_body(0.001)).status_code == 200
    assert client.get("/v1/status").json()["breaker"] == "closed"
    assert ask(client)["fallback"] is None


def test_an_arm_that_breaks_is_replaced_by_the_next(
    client: TestClient[Litestar], monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import ranker

    def broken(*_: object) -> None:
        raise RuntimeError("the ranker is broken")

    monkeypatch.setattr(ranker, "assemble", broken)
    with capture_logs() as logs:
        answer = ask(client)
    assert [line["arm"] for line in logs if line["event"] == "arm failed"] == ["model", "student_int8"]
    assert answer["arm"] == "frequently_bought_together"
    assert answer["fallback"] == {
        "arm": "frequently_bought_together",
        "reason": "model failed (RuntimeError)",
        "step": "co_occurrence",
    }


def test_when_every_arm_breaks_the_answer_is_empty_and_says_so(
    client: TestClient[Litestar], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nothing works")

    monkeypatch.setattr(Recommender, "rank", broken)
    with capture_logs():
        answer = client.post("/v1/recommendations", json=ASK)
    assert answer.status_code == 200
    assert answer.json()["items"] == []
    assert answer.json()["fallback"]["step"] == "empty"


def without_model(settings: Settings, home: Path) -> TestClient[Litestar]:
    changed = {"redis": settings.redis.model_copy(update={"url": f"redis://127.0.0.1:{free_port()}/0"}), "home": home}
    return TestClient(make_bare_app(settings.model_copy(update=changed)))


def test_without_a_model_the_answer_is_what_sold_when_one_last_served(
    built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    save_last_resort(tmp_path / "run", package)
    first, second, third = (package.products.ids[row] for row in package.popular[0][:3])
    with without_model(built_shop, tmp_path) as bare:
        answer = bare.post("/v1/recommendations", json={"cart": [{"product_id": first}], "k": 2})
        assert answer.status_code == 200
        assert [item["product_id"] for item in answer.json()["items"]] == [second, third]
        assert answer.json()["fallback"]["step"] == "last_resort"
        assert bare.post("/v1/recommendations", json={"k": 2}).status_code == 400
        assert {bare.get(path).status_code for path in ("/v1/products", "/v1/popular")} == {503}
        assert bare.get("/v1/status").json()["model_version"] == ""


@pytest.mark.parametrize("left", [None, b"", b'{"items": 5}'])
def test_without_a_model_or_anything_left_of_one_the_answer_is_empty(
    built_shop: Settings, tmp_path: Path, left: bytes | None
) -> None:
    if left is not None:
        (tmp_path / "run").mkdir()
        (tmp_path / "run" / LAST_RESORT).write_bytes(left)
    with without_model(built_shop, tmp_path) as bare:
        answer = bare.post("/v1/recommendations", json=ASK)
        assert answer.status_code == 200
        assert answer.json()["items"] == []
        assert answer.json()["fallback"] == {"arm": "last_resort", "reason": "model unavailable", "step": "empty"}
