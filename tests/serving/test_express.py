"""The short way answers as the route does, and leaves to it whatever is not plain."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from events.embedded import EmbeddedRedis
from serving.app import make_app
from serving.express import LONGEST_MS, plain, wanted_ms
from tests.support.access import on_redis, with_access
from training.package import ModelPackage

PATH = "/v1/recommendations"
BY_ROUTE = "application/x+json"
"""A content type that the short way does not take, and the route does."""
MOST = 1000


@pytest.fixture(scope="module")
def client(built_shop: Settings, redis_server: EmbeddedRedis, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    serving = built_shop.serving.model_copy(update={"redis_timeout_ms": 1_000.0, "deadline_ms": 5_000.0})
    settings = on_redis(built_shop, redis_server.url).model_copy(update={"serving": serving})
    limited = with_access(settings, anonymous_requests_per_second=1e6, anonymous_burst=1_000_000, https=True)
    with TestClient(make_app(limited, package)) as client:
        yield client


def told(answer: httpx.Response) -> tuple[int, dict[str, Any], dict[str, str]]:
    """Return what does not differ from one answer to the next: status, body, headers."""
    body = answer.json()
    body.pop("request_id", None)
    changing = {"ratelimit"} | ({"content-length"} if answer.status_code == 200 else set())
    return answer.status_code, body, {name: value for name, value in answer.headers.items() if name not in changing}


@pytest.mark.parametrize(
    "body",
    [
        b'{"cart": [], "k": 3}',
        b'{"cart": [], "k": "3"}',
        b'{"cart": [], "k": 3, "at": "2017-12-05T10:00:00Z", "deadline_ms": 900}',
        b'{"shopper_id": "m001", "session_id": "express"}',
        b'{"cart": [], "k": 51}',
        b'{"cart": [{"product_id": 5}]}',
        b'{"cart": [], "explain": true}',
        b'{"cart": [], "colour": "red"}',
        b"{",
        b"",
        b"[" * 500,
        b"\xff",
        b'{"session_id": "' + b"x" * 600_000 + b'"}',
    ],
    ids=lambda body: body[:30].decode("latin-1"),
)
@pytest.mark.parametrize("headers", [{}, {"X-Deadline-Ms": "800"}, {"X-Deadline-Ms": "-1"}, {"X-Deadline-Ms": "soon"}])
def test_the_short_way_answers_as_the_route(client: TestClient[Litestar], body: bytes, headers: dict[str, str]) -> None:
    short, by_route = (
        client.post(PATH, content=body, headers={"Content-Type": kind} | headers)
        for kind in ("application/json", BY_ROUTE)
    )
    assert told(short) == told(by_route)


def headers(**changed: str | None) -> list[tuple[bytes, bytes]]:
    usual: dict[str, str | None] = {"host": "shop", "content-type": "application/json", "content-length": "20"}
    return [(name.encode(), value.encode()) for name, value in (usual | changed).items() if value is not None]


@pytest.mark.parametrize(
    ("told_headers", "expected"),
    [
        (headers(), ()),
        (headers(**{"content-type": "application/json; charset=utf-8"}), ()),
        (headers(**{"content-length": str(MOST)}), ()),
        (headers(**{"x-deadline-ms": "12.5"}), (12.5,)),
        (headers(**{"x-deadline-ms": str(LONGEST_MS)}), (LONGEST_MS,)),
        (headers(**{"x-deadline-ms": str(LONGEST_MS + 1)}), None),
        (headers(**{"x-deadline-ms": "0"}), None),
        (headers(**{"x-deadline-ms": "nan"}), None),
        (headers(**{"x-deadline-ms": "é"}), None),
        (headers(**{"content-length": str(MOST + 1)}), None),
        (headers(**{"content-length": None}), None),
        (headers(**{"content-length": "-1"}), None),
        (headers(**{"content-type": BY_ROUTE}), None),
        (headers(**{"content-type": None}), None),
        (headers(**{"transfer-encoding": "chunked"}), None),
        ([*headers(), (b"x-deadline-ms", b"1"), (b"x-deadline-ms", b"2")], None),
    ],
)
def test_a_request_is_plain_by_its_headers(
    told_headers: list[tuple[bytes, bytes]], expected: tuple[float, ...] | None
) -> None:
    assert wanted_ms(told_headers, MOST) == expected


def test_a_body_is_plain_if_it_fits_the_contract_and_asks_for_no_explanation() -> None:
    request = plain(b'{"session_id": "s", "k": 4}')
    assert request is not None
    assert (request.session_id, request.k) == ("s", 4)
    assert plain(b'{"session_id": "s", "explain": true}') is None
    assert plain(b'{"session_id": 4}') is None
    assert plain(None) is None
