"""What the story's phases are told with: a shop in which every part really runs, and simulated shoppers."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from benchmarks.swapping import workers
from configs import Settings, SilentProgress, StageReport, load_settings
from configs.errors import PromotionError
from configs.home import read_json
from events.record.reading import opened
from events.record.tables import exposures
from pipelines.loading import load_function
from pipelines.stages import stages_up_to
from pipelines.traffic import Crowd, crowd_of, simulate
from tests.support.ports import free_port
from tests.support.tillwise import Tillwise
from training.aliases import CHAMPION, pointer_path, read_pointer
from training.promotion import promote
from training.registry import registry_client, version_of
from training.verdicts import newest_verdict

SWAP_SECONDS = 10.0
"""Within which all workers are to follow a decision."""
SWAP_PATIENCE_SECONDS = 120.0
PATIENCE_SECONDS = 3_600.0
"""For a build of real data, on a machine that does other things as well."""
WORKERS = 2

FEW_CASES = {"TILLWISE_REGISTRY__GATE__MOST_CASES": "100"}
"""For versions that are plainly bad: one of them takes long to be judged."""


def steps(least_people: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the steps of a release, each with the people that it waits for in each arm."""
    shares: dict[str, dict[str, float]] = {
        "shadow": {"share": 0.0},
        "canary": {"share": 0.3, "margin": 0.6},
        "wide": {"share": 0.5, "margin": 0.4},
    }
    return [
        {"name": name, "least_people": people, "least_hours": 0} | shares[name] for name, people in least_people.items()
    ]


QUICK: dict[str, Any] = {
    "log": {"level": "warning"},
    # A busy machine is no bad model: only what the model itself costs is to count.
    "serving": {"workers": WORKERS, "deadline_ms": 5_000, "shed_delay_ms": 5_000, "max_in_flight": 512},
    # Shoppers who tell more of a list than people do: the same is found with fewer of them.
    "traffic": {
        "k": 10,
        "rate": 60,
        "concurrency": 24,
        "think_seconds": 0.3,
        "behaviour": {"patience": 0.95, "take": 0.9, "curiosity": 0.02, "impulse": 0.01},
    },
    # An afternoon in minutes: what came of an answer is known after seconds, and three bad models come in a row.
    "monitoring": {
        # No answer of a good model takes so long, however much else the machine does; each of the slow one's does.
        "guardrails": {"latency_p99_ms": 25},
        "watch": {
            "maturity_minutes": 0.05,
            "settle_seconds": 1,
            "least_seconds": 1,
            "reference_people": 600,
            "first_people": 300,
            "least_people": 200,
            "block": 20,
            "cool_down_minutes": 0,
            "tolerance": {"latency": 1.0},
        },
    },
    # Simulated shoppers of old baskets are learned from like people.
    "feedback": {"rehearsals": True},
    "release": {
        "steps": steps({"shadow": 100, "canary": 100, "wide": 200}),
        "guardrails": {"latency_ms": 2_000, "slow_share": 0.2, "fallback_share": 0.2},
    },
    "registry": {
        "gate": {
            "cheaper_ratio": 0.3,  # timings of so few requests differ by more than a tenth
            "samples": 500,
            "timed_requests": 40,
            "timed_repeats": 1,
            "rank_p99_ms": 1_000,
            "memory_mb": 4_096,
            "trial_sessions": 20,
            "trial_p99_ms": 5_000,
        },
    },
}
"""Settings of every phase, beside those that fit the shop; all limits of time and memory are wide, as above."""

FEW: dict[str, Any] = {
    "monitoring": {
        "tightest_at_people": 100,
        "least_people": 30,
        "watch": {"reference_people": 300, "first_people": 150, "least_people": 100},
    },
    # The first model knows little on purpose, so that the second shares little of its lists.
    "release": {"steps": steps({"shadow": 50, "canary": 50, "wide": 75}), "shadow": {"least_agreement": 0.03}},
    "encoder": {"hidden": 128, "negatives": 1_000},
    "registry": {"gate": {"timed_requests": 20, "trial_sessions": 10}},
}
"""What is otherwise where everything is small."""


@dataclass
class Shop:
    """A shop whose parts are up, and what has happened in it.

    Attributes:
        command: runs `tillwise`. apart: whether each stage of a build runs in a process of its own, as it does for
            people; else in this one, which spares each the seconds that importing libraries takes.
        sessions: simulated shoppers so far; also makes each traffic's seed another one.
        told: one line a phase, for people. opened: when the shop was, by the monotonic clock.
    """

    command: Tillwise
    apart: bool
    sessions: int = 0
    told: list[str] = field(default_factory=list)
    opened: float = field(default_factory=time.monotonic)
    _crowds: dict[str, Crowd] = field(default_factory=dict)
    _reports: dict[str, StageReport] = field(default_factory=dict)
    _settings: dict[tuple[tuple[str, str], ...], Settings] = field(default_factory=dict)

    @classmethod
    def at(cls, folder: Path, *settings: Mapping[str, Any], apart: bool) -> Shop:
        """Return a shop that has a folder and nothing in it; later settings count more than earlier ones."""
        every = {name: value for one in settings for name, value in variables(one).items()}
        return cls(Tillwise(folder / "home", free_port(), free_port(), every, patience=PATIENCE_SECONDS), apart)

    @property
    def settings(self) -> Settings:
        """What every command of the shop reads."""
        return self.settings_with()

    def settings_with(self, **variables: str) -> Settings:
        """Return what a command reads that is given further variables."""
        key = tuple(sorted(variables.items()))
        if key not in self._settings:
            with pytest.MonkeyPatch.context() as patch:
                for name, value in (self.command.environment | variables).items():
                    if name.startswith("TILLWISE_"):
                        patch.setenv(name, value)
                self._settings[key] = load_settings()
        return self._settings[key]

    @property
    def champion(self) -> str:
        """Registered version that serves, as the workers are told."""
        pointer = read_pointer(pointer_path(self.settings.work, CHAMPION))
        assert pointer is not None
        return pointer.version

    def newest(self) -> str:
        """Return the newest registered version."""
        settings = self.settings
        return str(version_of(registry_client(settings), settings, None).version)

    def build(self, target: str, **variables: str) -> None:
        """Bring all that a shop builds up to date, to the stage `target`, as `tillwise TARGET` does."""
        if self.apart:
            self.command.run(target, **variables)
            return
        settings = self.settings_with(**variables)
        for stage in stages_up_to(target):
            if stage.name != "ingest" or not settings.work.data.exists():  # the shop's own data stay as they are
                self._reports[stage.name] = load_function(stage.function)(settings, SilentProgress())

    def read_by(self, stage: str) -> Mapping[str, int]:
        """Return what the newest run of a stage says that it read."""
        if self.apart:
            return dict(read_json(self.settings.work.stages / f"{stage}.json")["report"]["read"])
        return self._reports[stage].read

    def traffic(self, sessions: int, **variables: str) -> dict[str, Any]:
        """Let so many simulated shoppers come; none of their calls may fail. Return the figures.

        `variables`: further ones, which may say of which days the shoppers' baskets are.
        """
        settings = self.settings_with(**variables)
        coming = {"sessions": sessions, "seed": self.sessions}
        days = str(settings.windows)
        if days not in self._crowds:
            self._crowds[days] = crowd_of(settings)
        asked = settings.model_copy(update={"traffic": settings.traffic.model_copy(update=coming)})
        found = simulate(asked, crowd=self._crowds[days])
        assert found["simulated"] is True
        assert found["errors"] == {}, found["errors"]
        self.sessions += sessions
        return found

    def package_of(self, version: str) -> str:
        """Return the package's version of a registered version."""
        settings = self.settings
        return str(version_of(registry_client(settings), settings, version).tags["package"])

    def recorded_arms(self, version: str) -> dict[str, dict[tuple[str, str], int]]:
        """Return step → (arm, package) → answers that are recorded of a version's release."""
        names = (exposures.c.experiment, exposures.c.experiment_arm, exposures.c.model_version)
        ours = exposures.c.experiment.like(f"release-{version}-%")
        found: dict[str, dict[tuple[str, str], int]] = {}
        with opened(self.settings) as connection:
            assert connection is not None
            counted = select(*names, func.count()).where(ours).group_by(*names)
            for experiment, arm, package, answers in connection.execute(counted):
                found.setdefault(str(experiment).rpartition("-")[2], {})[arm, package] = answers
        return found

    def force(self, version: str, why: str) -> None:
        """Put a version on champion against the gate's will, and wait until it serves."""
        promote(self.settings_with(**FEW_CASES), SilentProgress(), version=version, force=True, why=why)
        assert self.champion == version
        self.wait_until_all_serve(version)

    def refusal(self, version: str) -> dict[str, str]:
        """Return what speaks against a version that the gate must refuse: check → its sentence."""
        settings = self.settings_with(**FEW_CASES)
        with pytest.raises(PromotionError, match="Train a better one"):
            promote(settings, SilentProgress(), version=version)
        verdict = newest_verdict(settings.work)
        assert verdict is not None
        return {check["name"]: check["says"] for check in verdict["checks"] if not check["passed"]}

    def wait_until_all_serve(self, version: str) -> float:
        """Wait until every worker serves a registered version; return the seconds that it took."""
        settings, started = self.settings, time.monotonic()
        package = self.package_of(version)
        while {model["version"] for model in workers(settings).values()} != {package}:
            assert time.monotonic() - started < SWAP_PATIENCE_SECONDS, f"not every worker serves version {version}"
            time.sleep(0.1)
        return time.monotonic() - started

    def processor_seconds(self) -> float:
        """Return seconds of processor time of this process, of the shop's parts, and of what both have started."""
        parts = (process.cpu_times() for process in self.command.processes())
        return sum(sum(used[:4]) for used in (os.times(), *parts))

    def tell(self, line: str) -> None:
        """Note what a phase came to."""
        used = time.monotonic() - self.opened, self.processor_seconds()
        line = f"{used[0]:4.0f} s, {used[1]:4.0f} s of processor: {line}"
        self.told.append(line)
        print(line)


def variables(settings: Mapping[str, Any], prefix: str = "TILLWISE_") -> dict[str, str]:
    """Return nested settings as the variables that mean the same."""
    found: dict[str, str] = {}
    for name, value in settings.items():
        key = f"{prefix}{name.upper()}"
        if isinstance(value, Mapping):
            found |= variables(value, f"{key}__")
        else:
            found[key] = value if isinstance(value, str) else json.dumps(value)
    return found
