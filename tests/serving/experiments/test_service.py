"""Experiments and exposures of the whole application: what is shown, what is logged, and that it costs no answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis.asyncio
from litestar import Litestar
from litestar.testing import TestClient
from structlog.testing import capture_logs

from configs import Settings
from configs.settings import ExposureSettings
from events.contract import Event, encode
from events.embedded import EmbeddedRedis
from events.profiles import ProfileStore
from features.definitions import COLUMNS
from features.exposed import COLUMNS_DIGEST, unpack
from serving.app import make_app
from serving.experiments import Experiment, Experiments
from tests.events.builders import event, identify
from tests.serving.experiments.support import arm, experiment, exposures_in, written
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from training.package import ModelPackage

Start = Callable[..., "Service"]
HALVES = [arm("model", 0.5), arm("popular", 0.5, ranking="popularity")]


class Service:
    """The application in this process."""

    def __init__(self, client: TestClient[Litestar], settings: Settings) -> None:
        self._client, self.settings = client, settings

    def ask(self, **request: Any) -> dict[str, Any]:
        """Return the answer to a request; with an empty cart if it tells none."""
        answer = self._client.post("/v1/recommendations", json={"cart": [], "k": 5} | request)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def arm_of(self, **request: Any) -> str:
        """Return the experiment's arm that answers a request."""
        return str(self.ask(**request)["experiment_arm"])

    def status(self) -> dict[str, Any]:
        """Return what /v1/status tells of exposures."""
        found: dict[str, Any] = self._client.get("/v1/status").json()["exposures"]
        return found

    def logged(self, number: int) -> list[Event]:
        """Return the exposures once there are so many."""
        wait_until(lambda: len(exposures_in(self.settings)) >= number)
        found = exposures_in(self.settings)
        assert len(found) == number
        return found

    def happens(self, *events: Event) -> None:
        """Let a consumer apply events."""

        async def inside() -> None:
            async with redis.asyncio.Redis.from_url(self.settings.redis_url) as client:
                await ProfileStore(client, self.settings.events).apply(events)

        asyncio.run(inside())


@pytest.fixture
def start(built_shop: Settings, package: ModelPackage, redis_url: str, tmp_path: Path) -> Iterator[Start]:
    """Start the application with arms of an experiment, if any, and settings of exposures; all end with the test."""
    with ExitStack() as stack:

        def make(arms: Sequence[dict[str, Any]] = (), url: str = redis_url, **exposures: Any) -> Service:
            defaults = built_shop.serving.exposures.model_dump()
            changed: dict[str, Any] = {
                "redis_timeout_ms": 1_000.0,
                "exposures": ExposureSettings(**(defaults | exposures)),
                "experiments": written(tmp_path, experiment(*arms)) if arms else None,
            }
            settings = built_shop.model_copy(
                update={
                    "redis": built_shop.redis.model_copy(update={"url": url}),
                    "serving": built_shop.serving.model_copy(update=changed),
                }
            )
            return Service(stack.enter_context(TestClient(make_app(settings, package))), settings)

        yield make


def test_each_answer_leaves_one_exposure_that_tells_what_was_shown(start: Start, package: ModelPackage) -> None:
    service = start()
    cart = [{"product_id": product} for product in package.products.ids[:2]]
    answer = service.ask(session_id="s", shopper_id="u", cart=cart, checkout_step=0)
    (logged,) = service.logged(1)
    shown = logged.exposure
    assert shown is not None
    assert (logged.message_id, logged.request_id) == (f"tillwise:{answer['request_id']}", answer["request_id"])
    assert (logged.session_id, logged.shopper_id, logged.checkout_step) == ("s", "u", 0)
    assert (shown.unit, shown.experiment, shown.ranking_arm, shown.explored) == ("u", None, "model", False)
    assert (shown.model_version, shown.fallback) == (package.version, None)
    assert shown.cart == tuple(package.products.ids[:2])
    assert [line.product_id for line in shown.lines] == [item["product_id"] for item in answer["items"]]
    assert [round(line.score, 5) for line in shown.lines] == [item["score"] for item in answer["items"]]
    assert {line.propensity for line in shown.lines} == {1.0}
    rows = [package.matrix.row_of[line.product_id] for line in shown.lines]
    assert [line.price for line in shown.lines] == package.matrix.price[rows].tolist()
    assert [line.worth for line in shown.lines] == package.matrix.worth[rows].tolist()
    assert unpack(shown.features, 5).shape == (5, len(COLUMNS))
    assert shown.columns == COLUMNS_DIGEST
    assert 0 < shown.latency_ms < 30_000


def test_arms_without_a_model_and_requests_of_nobody_are_logged_too(start: Start) -> None:
    service = start()
    answer = service.ask(arm="popularity")
    (logged,) = service.logged(1)
    assert logged.exposure is not None
    assert logged.session_id == logged.exposure.unit == answer["request_id"]
    assert logged.exposure.ranking_arm == "popularity"
    assert not np.isnan(unpack(logged.exposure.features, 5)).all(axis=0)[COLUMNS.index("popularity")]


def test_features_and_exposures_can_be_left_out(start: Start) -> None:
    service = start(features=False)
    service.ask()
    (logged,) = service.logged(1)
    assert logged.exposure is not None
    assert (logged.exposure.features, logged.exposure.columns) == (b"", "")
    assert len(encode(logged)) < 600
    assert start(enabled=False)._client.get("/v1/status").json()["exposures"] is None


def test_the_answer_tells_the_experiment_and_the_arm_and_is_ranked_by_it(start: Start) -> None:
    service = start(HALVES)
    found = {}
    for number in range(30):
        answer = service.ask(session_id=f"s{number}")
        found[answer["experiment_arm"]] = answer["arm"]
        assert answer["experiment"] == "winter"
    assert found == {"model": "model", "popular": "popularity"}
    assert service.ask(session_id="s0", arm="signals")["experiment"] is None
    assert service.ask()["experiment"] is None
    logged = [one.exposure for one in service.logged(32)]
    assert {one.experiment_arm for one in logged if one and one.experiment == "winter"} == {"model", "popular"}


def test_whoever_identifies_themselves_keeps_the_arm_on_every_device_and_replica(start: Start) -> None:
    service, at = start(HALVES), 1.5e9
    dealt = Experiments(Experiment.model_validate(experiment(*HALVES)))
    kept_against_the_hash = set()
    for number in range(12):
        visit, cookie, user, app = (f"{what}{number}" for what in ("visit", "cookie", "user", "app"))
        service.happens(event("Product Viewed", "x", at=at, message="1", session=visit, anonymous=cookie))
        first = service.arm_of(session_id=visit)
        wait_until(lambda: service.status()["waiting"] == 0)
        service.happens(identify(cookie, user, at=at + 1, message="2", session=visit))
        assert service.arm_of(session_id=visit) == first
        wait_until(lambda: service.status()["waiting"] == 0)
        assert service.arm_of(shopper_id=user) == first
        assert service.arm_of(session_id=app, shopper_id=user) == first
        kept_against_the_hash.add(dealt.assign(user, None, at).arm != dealt.assign(cookie, None, at).arm)
    assert kept_against_the_hash == {True, False}
    replica = start(HALVES)
    assert [replica.arm_of(shopper_id=f"user{n}") for n in range(12)] == [
        service.arm_of(shopper_id=f"user{n}") for n in range(12)
    ]


def test_a_shopper_who_took_part_before_brings_their_arm_to_a_new_visit(start: Start) -> None:
    service = start(HALVES)
    for number in range(6):
        user, visit, cookie = f"user{number}", f"visit{number}", f"cookie{number}"
        before = service.arm_of(shopper_id=user)
        service.happens(event("Product Viewed", "x", at=1.5e9, message="1", session=visit, anonymous=cookie))
        service.arm_of(session_id=visit)
        wait_until(lambda: service.status()["waiting"] == 0)
        service.happens(identify(cookie, user, at=1.5e9 + 1, message="2", session=visit))
        assert service.arm_of(session_id=visit) == before


def test_shadows_are_logged_and_change_no_answer(start: Start) -> None:
    quiet, shadowed = start([arm()]), start([arm(), arm("popular", None, ranking="popularity")])
    answers = [service.ask(session_id="s") for service in (quiet, shadowed)]
    assert answers[0]["items"] == answers[1]["items"]
    first, second = (one.exposure for one in quiet.logged(2))
    assert first is not None
    assert second is not None
    best = [item["product_id"] for item in quiet.ask(arm="popularity")["items"]]
    assert sorted([first.shadow, second.shadow], key=len) == [{}, {"popular": tuple(best)}]


def test_chance_shows_what_it_logs(start: Start) -> None:
    chance = {"epsilon": 0.5, "slots": 2, "pool": 6, "max_share_of_requests": 0.5}
    service = start([arm(exploration=chance)])
    ranked = [item["product_id"] for item in service.ask(k=20, arm="model")["items"]]
    shown = {}
    for number in range(30):
        answer = service.ask(session_id=f"s{number}")
        shown[answer["request_id"]] = [item["product_id"] for item in answer["items"]]
    changed = set()
    for logged in service.logged(31)[1:]:
        exposure = logged.exposure
        assert exposure is not None
        changed.add(exposure.explored)
        assert [line.product_id for line in exposure.lines] == shown[str(logged.request_id)]
        assert shown[str(logged.request_id)][:3] == ranked[:3]
        for place in (3, 4):
            product = exposure.lines[place].product_id
            assert product in ranked[3:9]
            assert exposure.lines[place].propensity == pytest.approx(0.5 * (product == ranked[place]) + 0.5 / 6)
        others = [product for product, _ in exposure.pool]
        assert sorted(others + [line.product_id for line in exposure.lines[3:]] * exposure.explored) == sorted(
            ranked[3:9] if exposure.explored else []
        )
    assert changed == {True, False}


def test_an_arm_that_breaks_is_logged_with_its_fallback_and_without_propensities(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    from training import ranker

    def broken(*_: object) -> None:
        raise RuntimeError("the ranker is broken")

    service = start()
    monkeypatch.setattr(ranker, "assemble", broken)
    with capture_logs():
        service.ask()
    (logged,) = service.logged(1)
    assert logged.exposure is not None
    assert logged.exposure.fallback == "model failed (RuntimeError)"
    assert logged.exposure.ranking_arm == "frequently_bought_together"
    assert {line.propensity for line in logged.exposure.lines} == {None}


def test_while_the_broker_is_away_answers_go_on_and_what_does_not_fit_is_counted(start: Start, tmp_path: Path) -> None:
    with EmbeddedRedis(free_port(), tmp_path / "redis") as server:
        service = start(url=server.url, queue=3)
        service.ask(session_id="s")
        service.logged(1)
        server.stop()
        for _ in range(5):
            assert len(service.ask(session_id="s")["items"]) == 5
        assert service.status() == {"logged": 1, "waiting": 3, "dropped": 2, "shadows_skipped": 0}
        server.start()
        assert len({one.message_id for one in service.logged(4)}) == 4
        assert service.status()["dropped"] == 2


def test_a_log_that_breaks_costs_no_answer(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    from serving.experiments import exposures

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("this cannot be told")

    service = start()
    monkeypatch.setattr(exposures, "event_of", broken)
    with capture_logs():
        service.ask()
        wait_until(lambda: service.status()["dropped"] == 1)
    monkeypatch.undo()
    service.ask()
    service.logged(1)


def test_what_waits_is_published_when_the_service_ends(
    built_shop: Settings, package: ModelPackage, redis_url: str
) -> None:
    settings = built_shop.model_copy(update={"redis": built_shop.redis.model_copy(update={"url": redis_url})})
    with TestClient(make_app(settings, package)) as client:
        for _ in range(3):
            client.post("/v1/recommendations", content=json.dumps({"cart": []}))
    assert len(exposures_in(settings)) == 3
