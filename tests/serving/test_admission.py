"""Who is let in, and that being turned away is quick, documented and nobody else's trouble."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest
from litestar import Litestar

from configs import Settings
from serving.admission import Admission, LoopLag
from serving.app import make_app
from tests.support.ports import free_port
from training.package import ModelPackage

SHORT = 0.01


def test_so_many_are_inside_at_a_time_and_each_that_leaves_makes_room() -> None:
    door = Admission(2)
    assert [door.enter(0.0, 0.0) for _ in range(3)] == [True, True, False]
    door.leave()
    assert door.enter(0.1, 0.0)
    assert (door.inside, door.shed) == (2, 1)


def steady(door: Admission, waited: float, moments: range) -> list[bool]:
    """Return who is let in of requests that come every 10 ms and waited so long."""
    let_in = []
    for moment in moments:
        let_in.append(door.enter(moment / 100, waited))
        if let_in[-1]:
            door.leave()
    return let_in


def test_a_burst_that_drains_is_let_in_whole() -> None:
    door = Admission(10, target=0.05)
    assert all(steady(door, 0.2, range(5)))
    assert all(steady(door, 0.0, range(5, 30)))


def test_a_queue_that_stands_is_cut_and_later_all_come_in_again() -> None:
    door = Admission(10, target=0.05)
    found = steady(door, 0.2, range(60))
    assert all(found[:10]), "until a whole interval has been bad"
    assert not any(found[20:])
    assert door.enter(0.605, SHORT), "one that did not wait long comes in even then"
    door.leave()
    assert all(steady(door, SHORT, range(61, 100)))
    assert all(steady(door, 0.2, range(100, 105)))


def test_time_in_which_the_loop_was_busy_counts_as_waiting() -> None:
    async def script() -> tuple[float, float]:
        lag = LoopLag()
        lag.watch()
        await asyncio.sleep(0.05)
        idle = lag.seconds
        time.sleep(0.2)  # as ranking for others would
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        busy = lag.seconds
        lag.stop()
        return idle, busy

    idle, busy = asyncio.run(script())
    assert busy > 0.15 > idle


@pytest.fixture
def app(built_shop: Settings, package: ModelPackage) -> Litestar:
    """The application with room for three, without a Redis."""
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": f"redis://127.0.0.1:{free_port()}/0"}),
        "serving": built_shop.serving.model_copy(update={"max_in_flight": 3, "deadline_ms": 10_000.0}),
        "events": built_shop.events.model_copy(update={"max_in_flight": 2}),
    }
    return make_app(built_shop.model_copy(update=changed), package)


def at_once(app: Litestar, path: str, body: Any, count: int) -> list[httpx.Response]:
    async def inside() -> list[httpx.Response]:
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]  # Litestar's types of ASGI are narrower
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            asked = [client.post(path, json=body) for _ in range(count)]
            return await asyncio.gather(*asked, client.get("/v1/products"), client.get("/schema/openapi.json"))

    return asyncio.run(inside())


@pytest.mark.parametrize(
    ("path", "body", "room", "else_"),
    [
        ("/v1/recommendations", {"session_id": "s"}, 3, 200),
        ("/v1/track", {"event": "Product Viewed", "anonymousId": "a", "properties": {"product_id": "p"}}, 2, 503),
    ],
)
def test_more_than_fit_are_answered_429_and_other_routes_as_ever(
    app: Litestar, path: str, body: Any, room: int, else_: int
) -> None:
    *answers, products, described = at_once(app, path, body, 8)
    assert Counter(answer.status_code for answer in answers) == {else_: room, 429: 8 - room}
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert set(answer.json()["error"]) == {"field", "reason"}
    assert products.status_code == 200
    assert "429" in described.json()["paths"][path]["post"]["responses"]
