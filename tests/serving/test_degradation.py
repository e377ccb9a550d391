"""What the service answers while Redis is away or holds garbage: always something, and saying so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from events.embedded import EmbeddedRedis
from events.session import session_key
from features.online import ShopperReader
from serving.app import make_app
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from training.package import ModelPackage

ASK = {"session_id": "s", "shopper_id": "m001", "cart": [], "k": 5}
TRACK = {"event": "Product Viewed", "anonymousId": "a", "properties": {"product_id": "p"}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A Redis of its own, which a test may stop."""
    with EmbeddedRedis(free_port(), tmp_path) as running:
        yield running


@pytest.fixture
def client(server: EmbeddedRedis, built_shop: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    """The application in this process, on that Redis."""
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": server.url}),
        "serving": built_shop.serving.model_copy(update={"redis_timeout_ms": 250.0}),
    }
    with TestClient(make_app(built_shop.model_copy(update=changed), package)) as client:
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


@pytest.mark.parametrize("where", ["session", "shopper"])
def test_garbage_in_redis_is_answered_from_the_request_alone(
    client: TestClient[Litestar], server: EmbeddedRedis, where: str
) -> None:
    reader = ShopperReader()
    with redis.Redis.from_url(server.url) as raw:
        if where == "session":
            raw.set(session_key("s"), b"\xc1garbage")
        else:
            raw.hset(reader.key("m001"), mapping=dict.fromkeys(reader.fields, b"\xff\xff garbage"))
    assert ask(client)["fallback"]["reason"] == "state unreadable"


def test_an_arm_that_breaks_is_replaced_by_the_next(
    client: TestClient[Litestar], monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import ranker

    def broken(*_: object) -> None:
        raise RuntimeError("the ranker is broken")

    monkeypatch.setattr(ranker, "assemble", broken)
    answer = ask(client)
    assert answer["arm"] == "frequently_bought_together"
    assert answer["fallback"] == {"arm": "frequently_bought_together", "reason": "model failed (RuntimeError)"}
