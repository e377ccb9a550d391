"""What browsers are told, which pages may call, and that no request lasts forever."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings, load_settings
from events.embedded import EmbeddedRedis
from serving.app import make_app
from tests.support.access import on_redis, with_access
from tests.support.collecting import collecting
from training.package import ModelPackage

SHOP = "https://shop.example"


@pytest.fixture(scope="module")
def settings(built_shop: Settings, redis_server: EmbeddedRedis) -> Settings:
    """Settings of the corner shop on the tests' Redis."""
    return on_redis(built_shop, redis_server.url)


@contextlib.contextmanager
def serving(settings: Settings, package: ModelPackage, **access: Any) -> Iterator[TestClient[Litestar]]:
    with TestClient(make_app(with_access(settings, **access), package)) as client:
        yield client


@pytest.fixture(scope="module")
def client(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    with serving(settings, package) as client:
        yield client


@pytest.fixture(scope="module")
def open_to_shop(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    with serving(settings, package, origins=[SHOP], frame_ancestors=[SHOP, "http://127.0.0.1:8080"], https=True) as c:
        yield c


def test_a_page_may_only_load_what_is_ours_and_be_framed_by_nobody(client: TestClient[Litestar]) -> None:
    headers = client.get("/").headers
    policy = dict(part.strip().partition(" ")[::2] for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(
    ("verb", "path", "status"),
    [("GET", "/v1/status", 200), ("GET", "/v1/none", 404), ("POST", "/v1/recommendations", 400), ("PUT", "/", 405)],
)
def test_every_answer_says_that_its_kind_is_not_to_be_guessed(
    client: TestClient[Litestar], verb: str, path: str, status: int
) -> None:
    answer = client.request(verb, path, content=b"{" if verb == "POST" else None)
    assert (answer.status_code, answer.headers["x-content-type-options"]) == (status, "nosniff")


def test_the_page_of_the_api_may_run_exactly_its_own_inline_code(client: TestClient[Litestar]) -> None:
    page = client.get("/schema")
    policy = page.headers["content-security-policy"]
    inline = re.findall(r"<(?:script|style)[^>]*>([^<]+(?:<(?!/script|/style)[^<]*)*)</(?:script|style)>", page.text)
    assert len(inline) == 2
    for code in inline:
        assert base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() in policy
    assert "unsafe" not in policy
    for loaded in re.findall(r'(?:src|href)="(https://[^"]+)"', page.text):
        assert loaded in policy


def test_framing_and_https_are_as_the_settings_say(open_to_shop: TestClient[Litestar]) -> None:
    headers = open_to_shop.get("/").headers
    assert f"frame-ancestors {SHOP} http://127.0.0.1:8080" in headers["content-security-policy"]
    assert headers["strict-transport-security"] == "max-age=31536000"


def preflight(
    client: TestClient[Litestar], origin: str, headers: str = "authorization, content-type"
) -> httpx.Response:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": headers}
    return client.options("/v1/recommendations", headers=asked)


def test_only_pages_of_the_origins_in_the_settings_may_call(open_to_shop: TestClient[Litestar]) -> None:
    allowed = preflight(open_to_shop, SHOP)
    assert (allowed.status_code, allowed.headers["access-control-allow-origin"]) == (204, SHOP)
    assert "authorization" in allowed.headers["access-control-allow-headers"].lower()
    for origin in ("https://evil.example", "https://shop.example.evil.example", "https://shopXexample", "null"):
        assert preflight(open_to_shop, origin).status_code == 400
        assert "access-control-allow-origin" not in open_to_shop.get("/v1/popular", headers={"Origin": origin}).headers
    for path, status in (("/v1/popular", 200), ("/v1/popular?k=0", 400)):
        answer = open_to_shop.get(path, headers={"Origin": SHOP})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, SHOP)
        assert "access-control-allow-credentials" not in answer.headers


def test_without_origins_no_answer_speaks_of_other_pages(client: TestClient[Litestar]) -> None:
    for answer in (preflight(client, SHOP), client.get("/v1/popular", headers={"Origin": SHOP})):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_body_that_does_not_come_is_not_waited_for(redis_url: str) -> None:
    settings = load_settings(redis={"url": redis_url}, access={"handler_seconds": 0.2})
    with collecting(settings) as collector:
        url = httpx.URL(collector.url)
        with socket.create_connection((url.host, url.port), timeout=10) as slow:
            slow.sendall(b"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
            answer = slow.recv(65536)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"field":"body"' in answer


def test_a_handler_that_waits_too_long_is_answered_for(
    settings: Settings, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    import asyncio

    from serving.state import StateReader

    async def hangs(_: StateReader) -> bool:
        await asyncio.sleep(60)
        return True

    monkeypatch.setattr(StateReader, "answers", hangs)
    with serving(settings, package, handler_seconds=0.1) as client:
        answer = client.get("/v1/status")
        assert (answer.status_code, answer.json()["error"]["field"]) == (503, "service")
        assert client.get("/v1/popular").status_code == 200
