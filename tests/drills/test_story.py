"""The whole story in one go: a model is trained, serves, learns, is replaced, goes wrong in three ways, and steps back.

All parts are real processes; the shoppers are SIMULATED, with held-out baskets and behaviour that is known (setting
`traffic`). `make test` tells it of the synthetic corner shop, in short phases, `make drills` of real baskets. Both
print what they found (`pytest -rP`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from configs import SilentProgress
from configs.home import read_json
from configs.stage import StageReport
from monitoring.release.stage import start
from monitoring.release.stage import step as look_at_release
from monitoring.watch import monitor, read_incidents
from tests.drills.story import FEW, QUICK, SWAP_SECONDS, Shop
from tests.support.journey import SETTINGS, small_journey
from tests.support.poison import poison
from tests.support.shop import SMALL

FULL = os.environ.get("DRILLS") == "full"
pytestmark = pytest.mark.e2e


@dataclass(frozen=True)
class Form:
    """How much happens.

    Attributes:
        first: what the first model is made with: it knows less than could be known; the second learns all.
        reference: sessions before anything changes. look: sessions between two looks at what may go wrong.
        calm: sessions between two looks of the control. healthy: looks of the control.
        within: most sessions until each kind of bad model is gone.
    """

    first: dict[str, str]
    reference: int
    look: int
    calm: int
    healthy: int
    within: dict[str, int]


SHORT_FORM = Form(
    {
        "TILLWISE_WINDOWS__AS_OF": "2024-03-01",
        "TILLWISE_TRAINING__TREES": "3",
        "TILLWISE_TRAINING__MAX_BASKETS": "150",
        "TILLWISE_NEURAL__EPOCHS": "1",
    },
    reference=300,
    look=50,
    calm=10,
    healthy=50,
    within={"labels": 600, "prices": 600, "slow": 600},
)
FULL_FORM = Form(
    {
        "TILLWISE_WINDOWS__AS_OF": "2017-08-01",
        "TILLWISE_TRAINING__TREES": "3",
        "TILLWISE_NEURAL__EPOCHS": "1",
        # With real baskets few candidates are what makes a model clearly worse: even few trees rank the best ones well.
        "TILLWISE_CANDIDATES__COOCCURRENCE": "12",
        "TILLWISE_CANDIDATES__HISTORY": "12",
    },
    reference=900,
    look=200,
    calm=200,
    healthy=50,
    within={"labels": 2_000, "prices": 2_000, "slow": 2_000},
)
FORM = FULL_FORM if FULL else SHORT_FORM


@dataclass(frozen=True)
class Mistake:
    """Why a bad version is forced to serve, and the check of the gate that would have kept it away."""

    why: str
    check: str


MISTAKES = {
    "labels": Mistake("its labels were shuffled, and nobody looked at the evaluation", "champion"),
    "prices": Mistake("cents were taken for dollars, and the evaluation was that of another version", "prices"),
    "slow": Mistake("it finds a little more, and nobody timed it", "champion"),
}
MOST_LOOKS_OF_A_RELEASE = 30


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """A shop in which nothing was built yet; whatever runs in it ends with the module."""
    folder = tmp_path_factory.mktemp("story")
    if FULL:
        own = SETTINGS | {"dataset": str(small_journey(folder / "data"))}
        found = Shop.at(folder, own, QUICK, apart=True)
    else:
        found = Shop.at(folder, SMALL, QUICK, FEW, apart=False)
    yield found
    found.command.run("down")
    assert found.command.processes() == []


def test_a_model_serves_is_replaced_goes_wrong_and_steps_back_without_anybody(shop: Shop, tmp_path: Path) -> None:
    started = time.monotonic()
    first = train_the_first_model(shop)
    serve_it(shop, first)
    second = train_a_better_model(shop, first)
    release_it(shop, first, second)
    stay_calm_while_all_is_well(shop, second)
    for kind in MISTAKES:
        go_wrong_and_step_back(shop, second, kind, tmp_path / kind)
    print(f"{shop.sessions:,} simulated sessions in all, {time.monotonic() - started:.0f} s.")


def train_the_first_model(shop: Shop) -> str:
    """Build everything up to a champion; with none before it the gate only asks that it beats simpler ways."""
    shop.build("promote", **FORM.first)
    shop.tell(f"version {shop.champion} trained and promoted by the gate, as nothing served before")
    return shop.champion


def serve_it(shop: Shop, version: str) -> None:
    """Start every part, and let the first shoppers come, with baskets of the days after the model's cutoff.

    What they do is learned from next, so theirs may not be the baskets that the next model is judged by.
    """
    shop.command.run("up", "--detach")
    shop.wait_until_all_serve(version)
    shop.tell(f"version {version} serves: {told_of(shop.traffic(FORM.reference, **FORM.first))}")


def train_a_better_model(shop: Shop, before: str) -> str:
    """Train on newer orders and on what was shown; registering does not change who serves."""
    shop.build("trial")
    version = shop.newest()
    assert version != before
    assert shop.champion == before
    shown = shop.read_by("examples")["answers shown"]
    assert shown >= FORM.reference / 2
    shop.tell(f"version {version} trained on newer orders and on {shown} answers of version {before}")
    return version


def release_it(shop: Shop, before: str, version: str) -> None:
    """Release a version by steps: it passes the gate, is a shadow, answers some, then all."""
    start(shop.settings, SilentProgress(), version=version)
    shop.tell(f"version {version} may be released: {said_by_the_gate(shop, 'champion')}")
    steps, did = [], ""
    for _ in range(MOST_LOOKS_OF_A_RELEASE):
        assert shop.champion == before
        shop.traffic(FORM.look)
        found = step(shop)
        steps.append(found["step"])
        did = found["action"]
        if did in {"complete", "stop"}:
            break
    assert did == "complete", f"the release of version {version} ended otherwise: {steps}, {found}"
    assert shop.champion == version
    took = shop.wait_until_all_serve(version)
    assert took < SWAP_SECONDS
    the_right_model_answered_in_each_arm(shop, before, version)
    looks = " ".join(f"{steps.count(name)} × {name}" for name in dict.fromkeys(steps))
    shop.tell(
        f"version {version} released, looks that ended at: {looks}; all workers followed {took:.1f} s after the last"
    )


def the_right_model_answered_in_each_arm(shop: Shop, before: str, version: str) -> None:
    """The record tells who answered: in a shadow the champion alone, then each arm's own model."""
    control, candidate = ("control", shop.package_of(before)), ("candidate", shop.package_of(version))
    arms = shop.recorded_arms(version)
    assert {step: set(found) for step, found in arms.items()} == {
        "shadow": {control},
        "canary": {control, candidate},
        "wide": {control, candidate},
    }
    shop.tell("answers by arm: " + "; ".join(f"{step} {sorted(found.values())}" for step, found in arms.items()))


def stay_calm_while_all_is_well(shop: Shop, version: str) -> None:
    """Look often at a healthy model: nothing is done about it."""
    for _ in range(FORM.healthy):
        shop.traffic(FORM.calm)
        found = look(shop)
        assert found["action"] == "none", found
    assert {figure["verdict"] for figure in found["figures"]} <= {"ok", "suspicious"}, found["figures"]
    assert shop.champion == version
    shop.tell(f"{FORM.healthy} healthy looks, each after {FORM.calm} sessions: version {version} still serves")


def go_wrong_and_step_back(shop: Shop, good: str, kind: str, folder: Path) -> None:
    """Force a bad version to serve; the monitor alone finds it, and goes back to the good one."""
    bad = str(poison(shop.settings, kind, folder))
    assert MISTAKES[kind].check in shop.refusal(bad)
    shop.force(bad, MISTAKES[kind].why)
    sessions, found = 0, look(shop)  # what is shown from here on is its own
    while found.get("action") != "rollback":
        assert sessions < FORM.within[kind], f"version {bad} ({kind}) still serves after {sessions} sessions: {found}"
        shop.traffic(FORM.look)
        sessions += FORM.look
        found = look(shop)
    assert shop.champion == good
    shop.wait_until_all_serve(good)
    seconds = the_incident_tells_all(shop, found, good, bad)
    assert "stepped back from" in shop.refusal(bad)["standing"]
    names = ", ".join(figure["name"] for figure in found["figures"] if figure["verdict"] == "breach")
    shop.tell(
        f"version {bad} ({kind}) gone after {sessions} sessions by {names}; all workers had it in {seconds:.1f} s"
    )


def the_incident_tells_all(shop: Shop, found: dict[str, Any], good: str, bad: str) -> float:
    """The incident says what was seen and done; return the seconds from the decision to the last worker."""
    incident = next(one for one in read_incidents(shop.settings) if one.id == found["incident"])
    assert (incident.state, incident.rule, incident.version, incident.to) == ("rolled back", "breach", bad, good)
    assert incident.package == shop.package_of(bad)
    assert set(incident.breached) == {figure["name"] for figure in found["figures"] if figure["verdict"] == "breach"}
    decided, swapped = (datetime.fromisoformat(incident.times[name]) for name in ("decided", "last_replica_swapped"))
    assert (swapped - decided).total_seconds() < SWAP_SECONDS
    status = shop.command.ask("status")
    assert {status[area]["state"] for area in ("model", "consumer", "recorder", "service", "monitor")} == {"ok"}, status
    assert status["model"]["facts"]["champion"].endswith(f"version {good}")
    return (swapped - decided).total_seconds()


def step(shop: Shop) -> dict[str, Any]:
    """Let the running release be looked at once, in this process, as its flow does."""
    return dict(look_at_release(shop.settings, SilentProgress()).metrics)


def look(shop: Shop) -> dict[str, Any]:
    """Let the monitor look once, in this process, as its flow does."""
    report: StageReport = monitor(shop.settings, SilentProgress(), drift=False)
    return dict(report.metrics)


def said_by_the_gate(shop: Shop, check: str) -> str:
    """Return what the newest verdict of the gate says of a check."""
    verdict = read_json(shop.settings.work.reports / "gate.json")
    return next(one["says"] for one in verdict["checks"] if one["name"] == check)


def told_of(report: dict[str, Any]) -> str:
    """Return a report of traffic in a line."""
    (group,) = report["groups"]
    low, high = group["attach_ci95"]
    return (
        f"{report['sessions']} simulated sessions, attach rate {group['attach_rate']:.3f} ({low:.3f} – {high:.3f}), "
        f"p99 {group['latency_ms']['p99']:.0f} ms, {report['sessions_per_minute']:,} sessions a minute"
    )
