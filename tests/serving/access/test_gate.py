"""Keys and scopes at the door of every route."""

from __future__ import annotations

import base64
import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from structlog.processors import format_exc_info
from structlog.testing import capture_logs

from configs import Settings
from events.embedded import EmbeddedRedis
from serving.access.credentials import collecting_key
from serving.app import make_app
from serving.state import StateReader
from tests.support.access import bearer, key, on_redis, with_access
from training.package import ModelPackage

ASK = {"cart": [], "k": 1}
TOLD = {"event": "Product Viewed", "anonymousId": "a", "properties": {"product_id": "p"}}
PROFILE = "/v1/profiles/anybody"


@pytest.fixture(scope="module")
def settings(built_shop: Settings, redis_server: EmbeddedRedis) -> Settings:
    """Settings of the corner shop on the tests' Redis."""
    return on_redis(built_shop, redis_server.url)


@contextlib.contextmanager
def serving(settings: Settings, package: ModelPackage, *keys: dict[str, Any]) -> Iterator[TestClient[Litestar]]:
    with TestClient(make_app(with_access(settings, *keys), package)) as client:
        yield client


@pytest.fixture(scope="module")
def client(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    """A service with a key for each scope, and one for two."""
    scopes = [key(f"{scope} only", scope) for scope in ("collect", "recommend", "operate")]
    with serving(settings, package, *scopes, key("shop", "collect", "recommend")) as client:
        yield client


def statuses(client: TestClient[Litestar], headers: dict[str, str]) -> tuple[int, int, int]:
    """Return what collecting, recommending and operating are answered."""
    return (
        client.post("/v1/track", json=TOLD, headers=headers).status_code,
        client.post("/v1/recommendations", json=ASK, headers=headers).status_code,
        client.get(PROFILE, headers=headers).status_code,
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("collect only", (200, 403, 403)),
        ("recommend only", (403, 200, 403)),
        ("operate only", (403, 403, 404)),  # nobody of that id is known
        ("shop", (200, 200, 403)),
        ("nobody", (401, 401, 401)),
    ],
)
def test_a_key_opens_what_its_scopes_say(
    client: TestClient[Litestar], name: str, expected: tuple[int, int, int]
) -> None:
    assert statuses(client, bearer(name)) == expected


def test_a_refusal_says_what_to_do_in_the_one_shape_of_errors(client: TestClient[Litestar]) -> None:
    for headers, status, said in (({}, 401, "no key"), (bearer("x"), 401, "not known"), (bearer("shop"), 403, "shop")):
        answer = client.get(PROFILE, headers=headers)
        error = answer.json()["error"]
        assert (answer.status_code, error["field"]) == (status, "authorization")
        assert said in error["reason"]
        assert "Authorization: Bearer KEY" in error["reason"]
        assert (answer.headers.get("www-authenticate") == 'Bearer realm="tillwise"') == (status == 401)


@pytest.mark.parametrize("path", ["/", "/v1/products", "/v1/popular", "/v1/status", "/schema/openapi.json"])
def test_what_is_the_same_for_everybody_takes_no_key(client: TestClient[Litestar], path: str) -> None:
    assert client.get(path).status_code == 200


def test_a_scope_that_no_key_has_is_open_but_operating_is_closed_to_all(
    settings: Settings, package: ModelPackage
) -> None:
    with serving(settings, package, key("asks", "recommend")) as client:
        assert statuses(client, {}) == (200, 401, 404)
        assert statuses(client, bearer("asks")) == (200, 200, 404)
        assert statuses(client, bearer("unknown")) == (200, 401, 404)
        assert "access.keys" in client.get(PROFILE).json()["error"]["reason"]


def test_a_collector_takes_keys_as_segments_clients_send_them(client: TestClient[Litestar]) -> None:
    def collected(body: dict[str, str], **named: Any) -> int:
        return client.post("/v1/track", json=TOLD | body, **named).status_code

    assert collected({"writeKey": "secret of shop"}) == 200
    assert collected({}, auth=("secret of shop", "")) == 200
    assert collected({}, headers=bearer("shop")) == 200
    assert collected({"writeKey": "secret of shop"}, auth=("wrong", "")) == 401
    assert collected({"writeKey": "secret of recommend only"}) == 403
    assert client.post("/v1/recommendations", json=ASK, auth=("secret of shop", "")).status_code == 401


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:ignored".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "body", "told"),
    [
        (basic("k1"), b'{"writeKey": "k2"}', "k1"),
        (basic("k1").replace("Basic", "basic"), b"{", "k1"),
        (basic(""), b"", ""),
        ("Bearer k1", b'{"writeKey": "k2"}', "k1"),
        ("Bearer ", b"", None),
        ("Basic !!!", b'{"writeKey": "k2"}', None),
        ("Basic /w==", b"", None),
        ("", b'{"writeKey": "k2"}', None),
        (None, b'{"writeKey": "k2", "batch": []}', "k2"),
        (None, b'{"writeKey": 7}', None),
        (None, b'{"writeKey": "\\ud800"}', None),
        (None, b"[" * 100_000, None),
        (None, b"", None),
    ],
)
def test_the_header_decides_where_there_is_one_else_the_body(
    authorization: str | None, body: bytes, told: str | None
) -> None:
    assert collecting_key(authorization, body) == told


def test_no_log_and_no_answer_tells_a_key(
    settings: Settings, package: ModelPackage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "0123456789abcdef-never-written"
    keys = [key("all", "collect", "recommend", "operate", secret=secret, requests_per_second=1, burst=9)]

    async def broken(*_: object) -> None:
        raise RuntimeError("whatever breaks")

    monkeypatch.setattr(StateReader, "read", broken)
    with caplog.at_level(logging.DEBUG), capture_logs() as logs, serving(settings, package, *keys) as client:
        answers = [
            client.request(verb, path, json=body | {"writeKey": told}, headers={"Authorization": f"{how} {told}"})
            for verb, path, body in (("POST", "/v1/track", TOLD), ("GET", PROFILE, {}))
            for told in (secret, f"{secret}-not")
            for how in ("Bearer", "Basic", "Bearer Bearer")
        ]
        answers += [client.post("/v1/recommendations", json=ASK, headers={"Authorization": f"Bearer {secret}"})] * 9
    assert {200, 401, 500} <= {answer.status_code for answer in answers}
    written = "".join(str(format_exc_info(None, "error", entry)) for entry in logs) + caplog.text
    assert "whatever breaks" in written
    assert secret not in written + "".join(answer.text + str(answer.headers) for answer in answers)
