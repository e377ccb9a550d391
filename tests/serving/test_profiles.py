"""Profiles for operators, and what live orders do to the next recommendation."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import redis.asyncio
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr

from configs import Settings, SilentProgress
from events.brokers import connect
from events.contract import Event, OrderFacts
from events.embedded import EmbeddedRedis
from events.erasure import RECEIPTS, Part
from events.profiles import ProfileStore
from events.record import tables
from events.suppression import SUPPRESSED, digest, suppressed_until
from features.history import load_history
from features.online import ShopperReader
from features.shopper import ShopperState
from features.store import materialize
from serving.app import make_app
from serving.models import Models
from serving.profiles import Profiles
from serving.state import Known, StateReader
from tests.events.builders import alias, event, identify
from tests.events.record.support import Record
from tests.support.access import access, key, with_access
from tests.support.ports import free_port
from training.package import ModelPackage

KEY = "an operator's key"
OPERATOR = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def settings(built_shop: Settings, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a Redis that holds the corner shop's features; profiles are open to one operator."""
    with EmbeddedRedis(free_port(), tmp_path_factory.mktemp("redis")) as server:
        changed = {
            "redis": built_shop.redis.model_copy(update={"url": server.url}),
            "serving": built_shop.serving.model_copy(update={"redis_timeout_ms": 1_000.0}),
            "access": access(key("another", "operate"), key("me", "operate", secret=KEY)),
        }
        materialize(built_shop.model_copy(update=changed), SilentProgress())
        ready = Settings(**(built_shop.model_dump() | {"home": tmp_path_factory.mktemp("home")})).model_copy(
            update=changed
        )
        yield ready


@pytest.fixture(scope="module")
def client(settings: Settings, package: ModelPackage) -> Iterator[TestClient[Litestar]]:
    """The application in this process."""
    with TestClient(make_app(settings, package)) as client:
        yield client


@pytest.fixture(scope="module")
def shoppers(built_shop: Settings) -> list[str]:
    """Ids of shoppers who have features, each test takes its own."""
    return load_history(built_shop.work.data).shopper_ids


def apply(settings: Settings, events: Sequence[Event]) -> None:
    async def inside() -> None:
        async with redis.asyncio.Redis.from_url(settings.redis_url) as opened:
            await ProfileStore(opened, settings.events).apply(events)

    asyncio.run(inside())


def read(settings: Settings, package: ModelPackage, session: str | None, shopper: str | None, now: float) -> Known:
    async def inside() -> Known:
        reader = StateReader(settings)
        try:
            return await reader.read(session, shopper, now, package.matrix)
        finally:
            await reader.close()

    return asyncio.run(inside())


def bought(who: str, package: ModelPackage, at: float, *, session: str = "till", order: str = "o1") -> Event:
    facts = OrderFacts(order, 7.5, 0.5)
    products = package.products.ids[:2]
    return event("Order Completed", *products, at=at, message=order, session=session, shopper=who, order=facts)


def test_an_order_counts_for_the_shoppers_next_request_under_any_id(
    settings: Settings, package: ModelPackage, shoppers: list[str]
) -> None:
    who, now = shoppers[0], package.as_of + 100.0
    before = read(settings, package, None, who, now).shopper
    apply(settings, [bought(who, package, now - 10), alias("app-user", who, at=now - 5, message="a")])
    after = read(settings, package, None, who, now).shopper
    assert (after.orders, after.last_at) == (before.orders + 1, int(now - 10))
    assert same(read(settings, package, None, "app-user", now).shopper, after)
    assert same(read(settings, package, None, who, now - 50).shopper, before)
    apply(settings, [event("Product Added", "x", message="s", session="theirs", shopper=who)])
    known = read(settings, package, "theirs", None, now)
    assert same(known.shopper, after)
    assert known.session is not None
    assert known.session.cart == {"x": 1.0}


def same(one: ShopperState, other: ShopperState) -> bool:
    return (one.orders, one.last_at, one.paid, one.products.pack()) == (
        *(other.orders, other.last_at, other.paid),
        other.products.pack(),
    )


def test_session_and_shopper_take_one_round_trip(
    settings: Settings, package: ModelPackage, shoppers: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = []
    send = redis.asyncio.Connection.send_packed_command

    async def counted(self: Any, command: Any, *rest: Any, **named: Any) -> None:
        sent.append(command)
        await send(self, command, *rest, **named)

    async def inside() -> Known:
        reader = StateReader(settings)
        await reader.read("round", shoppers[1], package.as_of, package.matrix)  # connects, and tells Redis the script
        monkeypatch.setattr(redis.asyncio.Connection, "send_packed_command", counted)
        found = await reader.read("round", shoppers[1], package.as_of + 100.0, package.matrix)
        monkeypatch.undo()
        await reader.close()
        return found

    apply(settings, [bought(shoppers[1], package, package.as_of + 1, session="round", order="o-round")])
    found = asyncio.run(inside())
    assert len(sent) == 1
    assert found.session is not None
    assert found.session.orders == ("o-round",)
    assert found.shopper.last_at == int(package.as_of) + 1


def test_a_profile_is_readable_under_the_session_and_under_every_id_of_the_shopper(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar], shoppers: list[str]
) -> None:
    who, at, products = shoppers[2], package.as_of + 1.0, package.products.ids
    context = {"device": "ios", "country": "NL", "channel": "web", "referrer": "https://search"}
    apply(
        settings,
        [
            event("Product Viewed", products[0], at=at, message="1", session="visit", anonymous="c1", context=context),
            event("Product Added", products[0], at=at + 30, message="2", session="visit", price=2.5, discount=0.25),
            event("Checkout Step Viewed", at=at + 40, message="3", session="visit", step=2),
            identify("c1", who, at=at + 50, message="4", session="visit"),
            bought(who, package, at + 60, order="o-profile"),
        ],
    )
    answer = client.get("/v1/profiles/visit", headers=OPERATOR)
    assert answer.status_code == 200
    body = answer.json()
    session, shopper = body["session"], body["shopper"]
    assert (session["shopper_id"], session["anonymous_ids"], session["checkout_step"]) == (who, ["c1"], 2)
    assert (session["cart_value"], session["cart_discount"], session["context"]) == (2.5, 0.25, context)
    assert session["cart"][0]["title"] == package.matrix.catalogue.titles[0]
    assert [(item["what"], item["seconds"]) for item in session["activity"]] == [("view", 30.0), ("add", None)]
    assert shopper["ids"] == sorted(["c1", who])
    assert shopper["shopper_id"] == who
    assert shopper["recent_orders"][0]["order_id"] == "o-profile"
    assert shopper["segment"] in {"new", "regular", "lapsed"}
    assert 0 < len(shopper["categories"]) <= 10
    assert shopper["categories"][0]["name"] in package.matrix.catalogue.categories
    for other in (who, "c1"):
        assert client.get(f"/v1/profiles/{other}", headers=OPERATOR).json()["shopper"] == shopper


def test_erasing_takes_the_person_out_everywhere_and_leaves_a_receipt(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar], shoppers: list[str]
) -> None:
    who, other, at = shoppers[3], shoppers[4], package.as_of - 1.0
    apply(
        settings,
        [
            identify("c3", who, at=at, message="e", session="last"),
            bought(who, package, at, order="o-e", session="their-till"),
        ],
    )
    receipt = client.delete(f"/v1/profiles/{who}", headers=OPERATOR)
    assert receipt.status_code == 200
    parts = {part["where"]: part["removed"] for part in receipt.json()["parts"]}
    assert parts["redis: profiles"] == {
        "sessions": 2,
        "recent orders": 1,
        "links": 2,
        "names in experiments": 0,
    }
    assert parts["redis: online features"] == {"rows": 1}
    assert client.get(f"/v1/profiles/{who}", headers=OPERATOR).status_code == 404
    assert client.get("/v1/profiles/last", headers=OPERATOR).status_code == 404
    assert client.get(f"/v1/profiles/{other}", headers=OPERATOR).status_code == 200
    assert read(settings, package, "last", who, at + 100).shopper.orders == 0
    reader = ShopperReader()
    with redis.Redis.from_url(settings.redis_url) as raw:
        assert raw.exists(reader.key(who)) == 0
        assert raw.exists(reader.key(other)) == 1
        assert raw.llen(RECEIPTS) == 1
        everything = b"".join(key + (raw.dump(key) or b"") for key in raw.keys("*"))
    assert who.encode() not in everything
    assert set(receipt.json()["persons"]) <= set(suppressed_until(settings.work.suppressed))
    assert who not in settings.work.suppressed.read_text()
    assert who not in receipt.text


def test_erasing_reaches_the_record_under_ids_that_only_it_still_knows(
    settings: Settings, package: ModelPackage, client: TestClient[Litestar]
) -> None:
    at = package.as_of - 1.0
    record = Record(settings.home)
    told = [
        identify("old-cookie", "old-account", at=at, message="r1", session="old-visit"),
        bought("old-account", package, at, order="r2"),
        event("Product Added", "x", at=at, message="r3", session="old-visit", anonymous="old-cookie"),
        bought("neighbour", package, at, order="r4"),
    ]
    record.store(*told[:2])
    record.flush()
    record.store(*told[2:])
    receipt = client.delete("/v1/profiles/old-cookie", headers=OPERATOR)  # Redis has forgotten, or never knew
    assert receipt.status_code == 200
    parts = {part["where"]: part["removed"] for part in receipt.json()["parts"]}
    assert parts["system of record"] == {
        "orders": 1,
        "outcomes": 1,
        "exposures": 0,
        "refunds": 0,
        "events in the database": 1,
        "links": 2,
        "events in files": 2,
    }
    assert {digest("old-cookie"), digest("old-account")} == set(receipt.json()["persons"])
    record.store(*told)  # delivered once more
    assert [row["order_id"] for row in record.rows(tables.orders)] == ["r4"]
    kept = b"".join(path.read_bytes() for path in settings.work.record.rglob("*") if path.is_file())
    assert b"old-" not in kept + repr(record.log().to_pylist()).encode()
    record.engine.dispose()


def test_a_record_that_is_away_is_said_to_be_and_the_identity_stays_for_the_next_try(
    settings: Settings, package: ModelPackage
) -> None:
    apply(settings, [identify("c9", "account-9", at=package.as_of, message="1", session="visit-9")])
    away = SecretStr("postgresql+psycopg://me:secret@127.0.0.1:1/shop")
    lost = settings.model_copy(update={"record": settings.record.model_copy(update={"database_url": away})})
    with TestClient(make_app(lost, package)) as client:
        answer = client.delete("/v1/profiles/c9", headers=OPERATOR)
        assert answer.status_code == 503
        reason = answer.json()["error"]["reason"]
        assert "send this again" in reason
        assert "secret" not in reason
        assert client.get("/v1/profiles/c9", headers=OPERATOR).json()["shopper"]["ids"] == ["account-9", "c9"]


def test_erasing_goes_on_when_nobody_waits_for_the_answer(settings: Settings, package: ModelPackage) -> None:
    """The server gives up on slow requests; half a person erased would be the worst of all."""
    apply(settings, [identify("c10", "account-10", at=package.as_of, message="1", session="visit-10")])

    class Slow:
        finished = False

        async def erase(self, ids: Sequence[str], at: float) -> Part:
            await asyncio.sleep(0.3)
            self.finished = True
            return Part("slow", {})

    async def inside() -> None:
        slow, broker = Slow(), connect(settings)
        profiles = Profiles(settings, Models.pinned(package), lambda: package.as_of, broker, [slow])
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(profiles.erase("c10"), 0.1)
        await profiles.close()
        await broker.close()
        assert slow.finished

    asyncio.run(inside())
    with redis.Redis.from_url(settings.redis_url) as raw:
        assert digest("account-10").encode() in raw.hgetall(SUPPRESSED)
        assert digest("account-10") in raw.lindex(RECEIPTS, 0).decode()


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
@pytest.mark.parametrize(
    "header", [None, "", KEY, "Bearer", "Bearer ", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY}x", "Bearer ключ"]
)
def test_whoever_has_no_operator_key_is_told_so(client: TestClient[Litestar], verb: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = client.request(verb, "/v1/profiles/anybody", headers=headers)
    assert answer.status_code == 401
    assert "scope operate" in answer.json()["error"]["reason"]


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_without_an_operator_key_in_the_settings_there_are_no_profiles(
    settings: Settings, package: ModelPackage, verb: str
) -> None:
    closed = with_access(settings)
    with TestClient(make_app(closed, package)) as client:
        answer = client.request(verb, "/v1/profiles/anybody", headers={"Authorization": "Bearer "})
    assert answer.status_code == 404
    assert "access.keys" in answer.json()["error"]["reason"]


@pytest.mark.parametrize("verb", ["GET", "DELETE"])
def test_no_id_is_nobody(client: TestClient[Litestar], verb: str) -> None:
    for path in ("/v1/profiles", "/v1/profiles/"):
        assert client.request(verb, path, headers=OPERATOR).status_code in {400, 404}


def test_ids_with_slashes_and_from_anywhere_are_found(settings: Settings, client: TestClient[Litestar]) -> None:
    for session in ("a/b", "a//b", "a/", "a%2Fb", "séance ☃", "*", "a?b#c"):
        apply(settings, [event("Product Added", "x", message="1", session=session)])
        path = f"/v1/profiles/{quote(session, safe='')}"
        assert client.get(path, headers=OPERATOR).json()["id"] == session
        parts = {part["where"]: part["removed"] for part in client.delete(path, headers=OPERATOR).json()["parts"]}
        assert parts["redis: profiles"]["sessions"] == 1
        assert client.get(path, headers=OPERATOR).status_code == 404


def test_an_id_that_nobody_has_is_not_found(client: TestClient[Litestar]) -> None:
    answer = client.get("/v1/profiles/nobody", headers=OPERATOR)
    assert (answer.status_code, answer.json()["error"]["reason"]) == (404, "Nothing is known under this id.")


def test_a_redis_that_is_away_is_said_to_be(built_shop: Settings, package: ModelPackage, tmp_path: Path) -> None:
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": f"unix://{tmp_path}/none"}),
        "access": access(key("me", "operate", secret=KEY)),
    }
    with TestClient(make_app(built_shop.model_copy(update=changed), package)) as client:
        for verb in ("GET", "DELETE"):
            answer = client.request(verb, "/v1/profiles/anybody", headers=OPERATOR)
            assert answer.status_code == 503
            assert "Redis does not answer" in answer.json()["error"]["reason"]


def test_both_are_described(client: TestClient[Litestar]) -> None:
    described = client.get("/schema/openapi.json").json()["paths"]["/v1/profiles/{profile_id}"]
    for verb in ("get", "delete"):
        assert {"200", "401", "404", "503"} <= set(described[verb]["responses"])


def test_the_checkout_page_holds_a_key_only_where_the_settings_say_so(
    settings: Settings, package: ModelPackage
) -> None:
    place = 'name="access-key" content='
    with TestClient(make_app(settings, package)) as client:
        assert f'{place}""' in client.get("/").text
    keys = [key("server", "collect"), key("page", "collect", secret='a"<key>')]
    with TestClient(make_app(with_access(settings, *keys, page_key="page"), package)) as client:
        page = client.get("/")
        assert page.headers["content-type"].startswith("text/html")
        assert f'{place}"a&quot;&lt;key&gt;"' in page.text
        assert "secret of server" not in page.text
        call = {"anonymousId": "page", "event": "x", "messageId": "page"}
        assert client.post("/v1/track", json=call).status_code == 401
        assert client.post("/v1/track", json=call, headers={"Authorization": 'Bearer a"<key>'}).status_code == 200
