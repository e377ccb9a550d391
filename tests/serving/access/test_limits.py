"""Rate limits: the bucket against a plain count, workers together by Redis, and what a client is told."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from configs import Settings
from events.embedded import EmbeddedRedis
from serving.access.bucket import Bucket
from serving.access.gate import _address_of
from serving.access.limits import PREFIX, SHARE_SECONDS, Limits
from serving.app import make_app
from tests.support.access import bearer, key, on_redis, with_access
from tests.support.ports import free_port
from training.package import ModelPackage


@given(
    st.floats(0.1, 100),
    st.integers(1, 20),
    st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_in_any_stretch_of_time_at_most_the_burst_and_what_came_back_passes_and_none_is_withheld(
    rate: float, burst: int, pauses: list[float]
) -> None:
    bucket, now, passed = Bucket.full(rate, burst, 0.0), 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now):
            passed.append(now)
        else:
            # Refused only if one more would break the bound in some stretch that ends now.
            assert any(
                len(passed) - first + 1 > burst + (now - passed[first]) * rate - 1e-6 for first in range(len(passed))
            )
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            assert last - first + 1 <= burst + (passed[last] - passed[first]) * rate + 1e-6


def test_what_is_taken_while_redis_is_being_told_still_counts() -> None:
    bucket = Bucket.full(1.0, 10, 0.0)
    for _ in range(3):
        assert bucket.take(0.0)
    told = bucket.unshared
    for _ in range(2):
        assert bucket.take(0.0)
    bucket.learn(4.0, told, 0.0)  # others have taken three
    assert (bucket.left, bucket.unshared) == (2, 2)


def workers(url: str, n: int, use: Callable[[list[Limits]], Coroutine[Any, Any, None]]) -> None:
    async def inside() -> None:
        limits = [Limits(url) for _ in range(n)]
        await use(limits)
        for one in limits:
            await one.close()

    asyncio.run(inside())


def test_workers_together_keep_the_limit_that_redis_holds(redis_url: str) -> None:
    async def use(limits: list[Limits]) -> None:
        first, second = limits
        taken = [first.take("shared", 0.001, 10)[0] for _ in range(11)]
        assert taken == [True] * 10 + [False]
        await asyncio.sleep(SHARE_SECONDS * 3)
        # Another worker has not heard of it: it grants one, tells it, and learns that all are gone.
        assert second.take("shared", 0.001, 10)[0]
        await asyncio.sleep(SHARE_SECONDS * 3)
        passed, bucket = second.take("shared", 0.001, 10)
        assert not passed
        assert -1.1 < bucket.tokens < -0.9
        assert not second.alone

    workers(redis_url, 2, use)
    with redis.Redis.from_url(redis_url) as client:
        assert 0 < client.pttl(f"{PREFIX}shared") <= 11 / 0.001 * 1000 + 1000


def test_a_limit_that_redis_cannot_share_is_kept_by_each_worker_and_counted(tmp_path: Path) -> None:
    server = EmbeddedRedis(free_port(), tmp_path)

    async def use(limits: list[Limits]) -> None:
        (alone,) = limits
        assert [alone.take("a", 0.001, 3)[0] for _ in range(4)] == [True] * 3 + [False]
        await asyncio.sleep(SHARE_SECONDS * 3)
        assert alone.alone == 3
        server.start()
        try:
            assert alone.take("b", 0.001, 3)[0]
            while alone._buckets["b"].unshared:
                await asyncio.sleep(SHARE_SECONDS)
            assert alone.alone == 3
            assert round(alone._buckets["b"].tokens) == 2
        finally:
            server.stop()

    workers(server.url, 1, use)


def test_a_worker_keeps_few_buckets_however_many_addresses_come(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("serving.access.limits.MOST_BUCKETS", 5)

    async def use(limits: list[Limits]) -> None:
        for n in range(20):
            assert limits[0].take(f"many:{n}", 1, 1)[0]
        assert not limits[0].take("many:19", 1, 1)[0]
        assert list(limits[0]._buckets) == [f"many:{n}" for n in range(15, 20)]

    workers(redis_url, 1, use)


@pytest.fixture
def settings(built_shop: Settings, redis_url: str) -> Settings:
    """Settings of the corner shop on a Redis that knows of no limit yet."""
    return on_redis(built_shop, redis_url)


def test_a_client_is_told_its_limit_and_when_to_come_again(settings: Settings, package: ModelPackage) -> None:
    keys = [key("slow", "recommend", requests_per_second=0.5, burst=2), key("free", "recommend")]
    with TestClient(make_app(with_access(settings, *keys), package)) as client:

        def ask(name: str) -> Any:
            return client.post("/v1/recommendations", json={"cart": [], "k": 1}, headers=bearer(name))

        first, second, third = (ask("slow") for _ in range(3))
        assert [answer.status_code for answer in (first, second, third)] == [200, 200, 429]
        assert first.headers["ratelimit-policy"] == '"key";q=2;w=4'
        assert re.fullmatch(r'"key";r=1;t=[12]', first.headers["ratelimit"])
        assert third.headers["ratelimit"].startswith('"key";r=0;')
        assert third.headers["retry-after"] in {"1", "2"}
        assert "0.5 requests a second" in third.json()["error"]["reason"]
        assert [ask("free").status_code for _ in range(4)] == [200] * 4
        assert "ratelimit" not in ask("free").headers
        assert client.get("/v1/status").json()["access"] == {"refused": 0, "limited": 1, "unshared": 0}


def test_an_address_is_limited_without_a_key_also_when_it_guesses_keys(
    settings: Settings, package: ModelPackage
) -> None:
    limited = with_access(settings, key("shop", "recommend"), anonymous_requests_per_second=0.01, anonymous_burst=3)
    with TestClient(make_app(limited, package)) as client:
        tried = [client.post("/v1/recommendations", json={"cart": []}, headers=bearer(f"{n}")) for n in range(4)]
        assert [answer.status_code for answer in tried] == [401, 401, 401, 429]
        assert client.get("/v1/popular").status_code == 429
        assert client.post("/v1/track", json={}).status_code == 429
        assert client.get("/").status_code == 200
        assert client.post("/v1/recommendations", json={"cart": []}, headers=bearer("shop")).status_code == 200


@pytest.mark.parametrize(
    ("client", "name"),
    [
        (None, "unknown"),
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3:4:5:6", 1), "2001:db8:1:2::/64"),
        (("testclient", 1), "testclient"),
    ],
)
def test_an_address_of_ipv6_stands_for_its_network(client: tuple[str, int] | None, name: str) -> None:
    connection: Any = {"client": client}
    assert _address_of(connection) == name
