"""A shop in which versions are released, and people who are answered meanwhile."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from configs import Settings, SilentProgress
from monitoring.release.history import read_history
from monitoring.release.looking import Looked, look
from monitoring.release.starting import begin
from tests.events.builders import NOW
from tests.events.record.support import Record
from tests.monitoring.experiments.support import Shop as RecordedShop
from tests.monitoring.experiments.support import answer, done
from training.aliases import CHALLENGER, CHAMPION
from training.decisions import Decision, decisions
from training.registry import registry_client
from training.releasing import CANDIDATE, CONTROL, Release, read_release, release_path
from training.withdrawal import held_aliases

QUIET = SilentProgress()
FEW = {"least_people": 20, "least_hours": 0.0, "margin": 0.95}
STEPS = [{"name": name, "share": share} | FEW for name, share in (("shadow", 0.0), ("canary", 0.4), ("wide", 0.5))]
LISTED = [f"p{number}" for number in range(7)]
"""What a healthy shadow would show: it shares what is shown."""
GOOD, BAD = 2, 10_000
"""Every so manieth person attaches to both answers."""


class Shop:
    """Registry, record and running release of one work folder."""

    def __init__(self, settings: Settings, record: Record) -> None:
        self.settings = settings
        self._record = RecordedShop(record)
        self._answers = 0

    @property
    def running(self) -> Release:
        """The running release."""
        found = read_release(release_path(self.settings.work))
        assert found is not None
        return found

    @property
    def ended(self) -> bool:
        """Whether none runs."""
        return read_release(release_path(self.settings.work)) is None

    @property
    def aliases(self) -> dict[str, str]:
        """Version by alias."""
        return dict(held_aliases(self.settings))

    @property
    def tags(self) -> dict[str, str]:
        """Tags of version 2."""
        client = registry_client(self.settings)
        return dict(client.get_model_version(self.settings.registry.model_name, "2").tags)

    def starts(self, version: str = "2", **changes: Any) -> Release:
        """Start a release, whatever the gate says."""
        return begin(self.settings, QUIET, version, **({"force": True, "why": "a test"} | changes))

    def looks(self) -> Looked:
        """Look at the running release."""
        return look(self.settings, QUIET)

    def history(self, version: str = "2") -> dict[str, Any]:
        """What is kept of a version's releases."""
        found = read_history(self.settings, version)
        assert found is not None
        return found

    def decided(self) -> list[Decision]:
        """What was decided of releases, oldest first."""
        name = self.settings.registry.model_name
        made = decisions(registry_client(self.settings), name, CHALLENGER)
        return [decision for decision in made if decision.kind == "release"]

    def champions(self) -> list[Decision]:
        """What was decided of the champion, oldest first."""
        return decisions(registry_client(self.settings), self.settings.registry.model_name, CHAMPION)

    def shows(
        self,
        arm: str,
        people: int,
        every: int = GOOD,
        *,
        package: str | None = None,
        shadow: Sequence[str] | None = None,
    ) -> None:
        """Answer people of an arm twice each; every so manieth person attaches to both."""
        release = self.running
        meant = release.package if arm == CANDIDATE else release.champion_package
        answers, events = [], []
        for number in range(2 * people):
            self._answers += 1
            name = f"r{self._answers:05d}"
            row = answer(
                name,
                *(f"p{(number + place) % 7}" for place in range(3)),
                at=NOW + self._answers,
                session=name,
                unit=f"{arm}{(self._answers - 1) // 2}",
                arm=arm,
                experiment=release.experiment_name,
                model_version=package or meant,
                shadow=None if shadow is None else {CANDIDATE: shadow},
                shadow_ms=None if shadow is None else json.dumps({CANDIDATE: 2.0}),
            )
            answers.append(row)
            if (number // 2) % every == 1:
                events.append(done("add", f"p{number % 7}", message=name, at=NOW + self._answers + 1, session=name))
        self._record.shows(*answers)
        if events:
            self._record.record.store(*events)

    def passes_shadow(self) -> None:
        """Let the shadow step pass."""
        self.shows(CONTROL, 40, shadow=LISTED)
        assert self.looks().did == "advance"
