"""Which arm a request is answered by: a hash of who asks, so that every replica says the same without asking anybody.

The unit is the person, as far as it is known. In this order: the name remembered with the shopper, the name remembered
with the session, the root of the shopper's linked ids, the session's first anonymous id, the session's id. A name is
remembered with session and shopper when they are first shown something. So whoever identifies themselves keeps the arm
of the visit that this happens in, and takes it to every device; a shopper who took part before, on another device,
keeps that arm instead, and the visit changes to it at that moment. While Redis is away only the ids of the request
itself count. Names are not bound to an experiment: another salt deals the same people anew.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import mmh3

from configs import Settings
from configs.errors import ConfigError
from events.shopper import Person
from serving.experiments.file import Arm, Experiment, read_experiment
from training.aliases import CHAMPION, FOLLOWED

DEFAULT_RANKING = "model"


@dataclass(frozen=True, slots=True)
class Assigned:
    """How a request is answered. `arm` is None if it takes part in no experiment; `unit` is None if it names nobody."""

    ranking: str
    unit: str | None
    experiment: str | None = None
    arm: Arm | None = None


def unit_of(
    session_id: str | None, anonymous_id: str | None, shopper_id: str | None, person: Person | None, visit: str | None
) -> str | None:
    """Return the name under which whoever asks takes part in experiments, None if nobody is named.

    Args:
        session_id, shopper_id: as far as told or known. anonymous_id: the session's first.
        person: with the shopper's id; None if it is not known or could not be read.
        visit: the name remembered with the session.
    """
    if person is not None:
        return person.unit or visit or person.root
    return visit or shopper_id or anonymous_id or session_id


@dataclass(frozen=True)
class Experiments:
    """The running experiment, if there is one."""

    running: Experiment | None = None

    @property
    def rules(self) -> Mapping[str, Path]:
        """The rules file of each arm that has one of its own."""
        arms = () if self.running is None else self.running.arms
        return {arm.name: arm.rules for arm in arms if arm.rules is not None}

    @cached_property
    def shadows(self) -> tuple[Arm, ...]:
        """Arms that are scored and not shown."""
        return () if self.running is None else tuple(arm for arm in self.running.arms if arm.shadow)

    def assign(self, unit: str | None, ranking: str | None, now: float) -> Assigned:
        """Return how a request is answered.

        Args:
            unit: see `unit_of`; a request that names nobody takes part in no experiment.
            ranking: the arm that the request itself asks for; such a request takes part in none either.
            now: unix seconds by the service's clock.
        """
        running = self.running
        if running is None or unit is None or ranking is not None or now < self._starts_at:
            return Assigned(ranking or DEFAULT_RANKING, unit)
        arm = self._shown[bisect_right(self._ends, place_of(running.salt, unit), hi=len(self._shown) - 1)]
        return Assigned(arm.ranking, unit, running.name, arm)

    @cached_property
    def _starts_at(self) -> float:
        return 0.0 if self.running is None else self.running.start.timestamp()

    @cached_property
    def _shown(self) -> tuple[Arm, ...]:
        return () if self.running is None else tuple(arm for arm in self.running.arms if not arm.shadow)

    @cached_property
    def _ends(self) -> list[float]:
        return list(accumulate(arm.share for arm in self._shown))


def running_experiments(settings: Settings) -> Experiments:
    """Return the running experiment.

    Raises:
        ConfigError: its file does not fit, or what it shows would not be recorded.
    """
    file = settings.serving.experiments
    if file is None:
        return Experiments()
    if not settings.serving.exposures.enabled:
        raise ConfigError("serving.experiments names a file, but serving.exposures.enabled is false: switch it on.")
    aliases = FOLLOWED if settings.serving.package is None else (CHAMPION,)
    return Experiments(read_experiment(file, aliases=aliases))


def place_of(salt: str, unit: str) -> float:
    """Return where a unit lies in [0, 1): uniform over units, and independent from salt to salt."""
    high, _ = mmh3.hash64(f"{salt}\n{unit}", signed=False)
    return float(high >> 11) * 2.0**-53
