"""A release that comes, grows and ends while the service answers: followed soon, or refused with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from serving.app import make_serving_app
from serving.experiments import Experiments, RunningExperiments
from serving.experiments.file import experiment_of
from serving.models import Following, Models
from tests.serving.experiments.support import arm, experiment, exposures_in, written
from tests.support.packages import another, damaged, move, version_in
from tests.support.waiting import wait_until
from training.aliases import CHALLENGER, FOLLOWED, pointer_path
from training.package import ModelPackage
from training.releasing import CANDIDATE, CONTROL, Release, release_path, write_release

PEOPLE = [f"person{number}" for number in range(2_000)]


def step(share: float, name: str = "canary", **changes: Any) -> dict[str, Any]:
    """Return a step's experiment."""
    candidate = arm(CANDIDATE, share or None, alias=CHALLENGER)
    return experiment(arm(CONTROL, 1 - share), candidate, name=f"release-7-{name}", salt="release-7") | changes


def release(told: dict[str, Any] | None, package: str = "package", name: str = "canary") -> Release:
    moment = "2026-01-31T00:00:00Z"
    facts = {"version": "7", "package": package, "step": name, "since": moment, "started": moment}
    return Release.model_validate(facts | {"experiment": told, "champion": "6", "champion_package": "old"})


def test_whoever_is_dealt_the_candidate_keeps_it_as_its_share_grows() -> None:
    before: set[str] = set()
    for share in (0.05, 0.2, 0.5):
        dealt = Experiments(experiment_of(step(share), "a step", aliases=FOLLOWED))
        mine = {unit for unit in PEOPLE if (found := dealt.assign(unit, None, 2e9).arm) and found.name == CANDIDATE}
        assert before < mine
        assert len(mine) / len(PEOPLE) == pytest.approx(share, abs=0.04)
        before = mine


@pytest.fixture
def settings(built_shop: Settings, redis_url: str, package: ModelPackage, tmp_path: Path) -> Settings:
    """The corner shop's settings with a work folder for pointers and a release; workers look often."""
    serving = {"redis_timeout_ms": 1_000.0, "deadline_ms": 20_000.0, "follow_seconds": 0.05}
    changed: dict[str, Any] = {
        "home": tmp_path,
        "redis": built_shop.redis.model_copy(update={"url": redis_url}),
        "serving": built_shop.serving.model_copy(update=serving),
    }
    settings = built_shop.model_copy(update=changed)
    move(settings.work, built_shop.work.model, package.version)
    return settings


@dataclass(frozen=True)
class Worker:
    """The application in this process, with the thread that follows what lies in its work folder."""

    client: TestClient[Litestar]
    settings: Settings

    def ask(self, person: str) -> dict[str, Any]:
        """Return the answer to somebody with an empty cart."""
        answer = self.client.post("/v1/recommendations", json={"session_id": person, "cart": [], "k": 5})
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def status(self) -> dict[str, Any]:
        """Return what the worker says of itself."""
        found: dict[str, Any] = self.client.get("/v1/status").json()
        return found

    def runs(self, name: str | None) -> None:
        """Wait until an experiment runs, or none."""
        wait_until(lambda: self.status()["experiment"] == name)


@pytest.fixture
def worker(settings: Settings) -> Iterator[Worker]:
    """The application, started before there is any release."""
    models, experiments = Models.opened(settings), RunningExperiments.opened(settings)
    following = Following(models, settings, experiments)
    with TestClient(make_serving_app(settings, models, experiments)) as client:
        following.start()
        yield Worker(client, settings)
        following.end()
        following.join(30)


def test_a_worker_follows_a_release_from_shadow_to_its_end_without_a_restart(
    worker: Worker, settings: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    folder = another(package, tmp_path / "next", discovery=5.0)
    candidate = version_in(folder)
    assert worker.status()["release"] is None
    move(settings.work, folder, candidate, CHALLENGER)
    write_release(settings.work, release(step(0.0, "shadow"), candidate, "shadow"))
    worker.runs("release-7-shadow")
    assert {worker.ask(person)["model_version"] for person in PEOPLE[:6]} == {package.version}
    wait_until(lambda: len(exposures_in(settings)) == 6)
    for logged in exposures_in(settings):
        assert logged.exposure is not None
        assert len(logged.exposure.shadow[CANDIDATE]) == 5
        assert logged.exposure.shadow_ms[CANDIDATE] > 0
    write_release(settings.work, release(step(0.5, "wide"), candidate, "wide"))
    worker.runs("release-7-wide")
    answers = [worker.ask(person) for person in PEOPLE[10:30]]
    found = {(one["experiment_arm"], one["model_version"], one["fallback"] is None) for one in answers}
    assert found == {(CONTROL, package.version, True), (CANDIDATE, candidate, True)}
    told = worker.status()["release"]
    assert (told["version"], told["package"], told["step"], told["refused"]) == ("7", candidate, "wide", None)
    release_path(settings.work).unlink()
    pointer_path(settings.work, CHALLENGER).unlink()
    worker.runs(None)
    assert worker.ask("somebody")["experiment"] is None
    assert worker.status()["release"] is None


def test_a_candidate_that_cannot_be_loaded_is_answered_for_by_the_champion_which_says_so(
    worker: Worker, settings: Settings, built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    move(settings.work, damaged(built_shop.work.model, tmp_path / "damaged"), "damaged", CHALLENGER)
    write_release(settings.work, release(step(0.9), "damaged"))
    worker.runs("release-7-canary")
    answers = [worker.ask(person) for person in PEOPLE[:12]]
    assert {one["model_version"] for one in answers} == {package.version}
    steps = {one["experiment_arm"]: (one["fallback"] or {}).get("step") for one in answers}
    assert steps[CANDIDATE] == "other_model"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is no running release"),
        (json.dumps({"version": "7"}), "package: Field required"),
        (release(step(0.5, "wide", arms=[arm("a", 0.5)])).model_dump_json(), "add up to 0.5, expected 1"),
        (release(step(0.5, "wide", arms=[arm("a", alias="nobody")])).model_dump_json(), "alias is 'nobody'"),
    ],
)
def test_a_broken_file_is_refused_and_what_ran_before_runs_on(settings: Settings, content: str, reason: str) -> None:
    running = RunningExperiments.opened(settings)
    write_release(settings.work, release(step(0.05)))
    running.look()
    before = running.now
    release_path(settings.work).write_text(content)
    running.look()
    assert running.now is before
    assert before.running is not None
    assert running.refused is not None
    assert reason in running.refused.reason
    write_release(settings.work, release(step(0.5, "wide")))
    running.look()
    assert running.refused is None
    assert running.now.running is not None
    assert running.now.running.name == "release-7-wide"


def test_an_experiment_begins_only_after_the_models_were_looked_at_and_ends_before(settings: Settings) -> None:
    running = RunningExperiments.opened(settings)
    write_release(settings.work, release(step(0.05)))
    running.look(may_begin=False)
    assert running.now.running is None
    running.look()
    assert running.now.running is not None
    write_release(settings.work, release(None))
    running.look(may_begin=False)
    assert running.now.running is None


def test_an_experiment_of_the_settings_goes_before_a_release(settings: Settings, tmp_path: Path) -> None:
    serving = settings.serving.model_copy(update={"experiments": written(tmp_path, experiment())})
    running = RunningExperiments.opened(settings.model_copy(update={"serving": serving}))
    write_release(settings.work, release(step(0.05)))
    running.look()
    assert running.now.running is not None
    assert running.now.running.name == "winter"
    assert running.refused is not None
    assert "an experiment of serving.experiments runs" in running.refused.reason
    release_path(settings.work).unlink()
    running.look()
    assert running.refused is None
    assert running.now.running.name == "winter"
