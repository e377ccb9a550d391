"""Machines with a work folder each on one registry: aliases are moved by one at a time, whoever is killed when."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient

from configs import Settings
from configs.errors import NotBuiltError, RegistryBusyError
from pipelines.processes import environment
from tests.events.record.support import die_after
from tests.training.promotion.support import QUIET, pointer, version
from training.aliases import CHAMPION
from training.decisions import Decision, decisions, record
from training.gate import Verdict
from training.lease import CLOCKS_APART_SECONDS, PREFIX
from training.moving import moving
from training.promotion import promote, rollback
from training.registry import registry_client

PATIENCE_SECONDS = 120.0
WRITES = [
    (MlflowClient, f"{verb}_{what}")
    for verb, what in [
        ("set", "registered_model_tag"),
        ("delete", "registered_model_tag"),
        ("set", "model_version_tag"),
        ("set", "registered_model_alias"),
    ]
]
"""Where a promotion changes the registry."""
DRIVER = """
import sys, time
from pathlib import Path
from configs import SilentProgress, load_settings
from configs.errors import PromotionError
from training import promotion
from training.gate import Verdict
from training.moving import moving

folder, mine, other, settings = Path(sys.argv[1]), sys.argv[2], sys.argv[3], load_settings()
promotion._judged = lambda *_: Verdict(mine, "", None, [])

class Together(SilentProgress):
    def update(self, message, done):
        if message == "moving the alias":
            (folder / mine).touch()
            while not (folder / other).exists():
                time.sleep(0.01)

try:
    promotion.promote(settings, Together(), version=mine)
    print("moved")
except PromotionError as error:
    print(error)
for _ in range(3):
    with moving(settings), (folder / "trace.txt").open("a") as trace:
        trace.write("in\\n")
        trace.flush()
        time.sleep(0.02)
        trace.write("out\\n")
"""


class Clock:
    """Stands in for `time`: it goes on by sleeping, and something may happen meanwhile."""

    def __init__(self) -> None:
        self.now, self.meanwhile = time.time(), lambda: None

    def time(self) -> float:
        """Return unix seconds."""
        return self.now

    def monotonic(self) -> float:
        """Return seconds of no epoch."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time go by."""
        self.now += seconds
        self.meanwhile()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that leases go by."""
    clock = Clock()
    monkeypatch.setattr("training.lease.time", clock)
    monkeypatch.setattr("training.lease.LOOK_SECONDS", 5.0)  # each look is one at a real registry
    return clock


def machine(shop: Settings, home: Path, uri: str | None = None) -> Settings:
    """Return settings of a work folder that uses the shop's registry from elsewhere."""
    there = uri or f"sqlite:///{shop.work.registry / 'mlflow.db'}"
    return shop.model_copy(update={"home": home, "registry": shop.registry.model_copy(update={"uri": there})})


@pytest.fixture
def machines(shop: Settings, tmp_path: Path) -> tuple[Settings, Settings]:
    """Two of them."""
    return machine(shop, tmp_path / "a"), machine(shop, tmp_path / "b")


@pytest.fixture
def waved_through(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every version pass, whatever it is."""
    monkeypatch.setattr("training.promotion._judged", lambda *_: Verdict("", "", None, []))


def leases(settings: Settings) -> list[str]:
    tags = registry_client(settings).get_registered_model(settings.registry.model_name).tags
    return [name for name in tags if name.startswith(PREFIX)]


def made(settings: Settings) -> list[Decision]:
    return decisions(registry_client(settings), settings.registry.model_name, CHAMPION)


def test_of_two_promotions_at_once_from_two_machines_one_is_made_and_moves_never_overlap(
    shop: Settings, server: str, tmp_path: Path
) -> None:
    (tmp_path / "meet").mkdir()
    by_database, over_http = machine(shop, tmp_path / "a"), machine(shop, tmp_path / "b", server)
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", DRIVER, str(tmp_path / "meet"), *numbers],
            env=environment(one),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one, numbers in ((by_database, ("2", "3")), (over_http, ("3", "2")))
    ]
    told = [process.communicate(timeout=PATIENCE_SECONDS) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], told
    said = [output.strip() for output, _ in told]
    assert sorted(said)[1] == "moved"
    winner = ("2", "3")[said.index("moved")]
    assert f"champion moved from version None to {winner}: run `tillwise promote` again" in sorted(said)[0]
    assert [(decision.after, decision.state) for decision in made(shop)] == [(winner, "done")]
    assert version(shop) == int(winner)
    assert (tmp_path / "meet" / "trace.txt").read_text().split() == ["in", "out"] * 6
    assert leases(shop) == []


@pytest.mark.usefixtures("waved_through", "clock")
def test_whenever_one_machine_is_killed_another_goes_on_and_so_does_the_first(
    machines: tuple[Settings, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machines
    promote(first, QUIET, version="1")
    for steps in range(20):
        with monkeypatch.context() as patch:
            die_after(patch, steps, *WRITES)
            try:
                promote(first, QUIET, version="2")
            except KeyboardInterrupt:
                killed = True
            else:
                killed = False
        promote(second, QUIET, version="3")
        assert (version(second), pointer(second).version) == (3, "3")
        assert {decision.state for decision in made(second)} <= {"done", "abandoned"}
        assert leases(second) == []
        if not killed:
            assert [decision.after for decision in made(first)[-2:]] == ["2", "3"]
            return
    pytest.fail("a promotion has more steps than were tried")


def test_whoever_does_not_let_go_is_named_with_the_moment_until_which_it_holds(
    machines: tuple[Settings, Settings], clock: Clock
) -> None:
    first, second = machines
    with moving(first) as keep:
        clock.meanwhile = keep
        sentence = r"moved by .+@.+ \(process \d+\), until 20\d\d-.* again then"
        with pytest.raises(RegistryBusyError, match=sentence), moving(second):
            pytest.fail("both move aliases")
        clock.meanwhile = lambda: None
    assert leases(first) == []
    with moving(second):
        assert len(leases(second)) == 1


def test_whoever_was_held_up_for_too_long_moves_nothing(machines: tuple[Settings, Settings], clock: Clock) -> None:
    first, second = machines
    with moving(first) as keep:
        clock.sleep(first.registry.lease_seconds + CLOCKS_APART_SECONDS + 1)
        with moving(second):
            assert len(leases(second)) == 1
        with pytest.raises(RegistryBusyError, match=r"held up for more than 30 s .*run the same command again"):
            keep()


def test_waiting_is_not_being_held_up(machines: tuple[Settings, Settings], clock: Clock) -> None:
    first, second = machines
    entered = moving(first)
    keep = entered.__enter__()
    steps = 0

    def work() -> None:
        nonlocal steps
        steps += 1
        if steps < 10:  # longer than a lease lasts
            keep()
        elif steps == 10:
            entered.__exit__(None, None, None)

    clock.meanwhile = work
    with moving(second) as keep_second:
        keep_second()
    assert steps == 10


@pytest.mark.usefixtures("waved_through")
def test_decisions_stand_in_the_order_in_which_they_were_made_whatever_the_machines_clocks_say(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, name = registry_client(shop), shop.registry.model_name
    ahead = Decision("2199-01-01T00:00:00.000000+00:00", "promote", CHAMPION, None, "1", "somebody", "a test")
    client.set_registered_model_alias(name, CHAMPION, "1")
    record(client, name, ahead)
    promote(shop, QUIET, version="2")
    assert [decision.after for decision in made(shop)] == ["1", "2"]
    monkeypatch.setattr("training.promotion._harm", lambda _: None)
    rollback(shop, QUIET)
    assert [decision.after for decision in made(shop)] == ["1", "2", "1"]
    assert version(shop) == 1


def test_a_registry_without_a_model_has_nothing_to_go_back_from(tmp_path: Path, shop: Settings) -> None:
    there = machine(shop, tmp_path / "c")
    other = there.model_copy(update={"registry": there.registry.model_copy(update={"model_name": "another"})})
    with pytest.raises(NotBuiltError, match="nothing to go back from"):
        rollback(other, QUIET)
