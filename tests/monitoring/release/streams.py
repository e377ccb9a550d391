"""Simulated people who are answered by two models, and what is observed of them. Nothing here is data of a shop."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from configs.releasing import ReleaseStep
from monitoring.experiments.comparison import Shown
from monitoring.experiments.observed import Observed
from monitoring.release.live import Seen
from training.releasing import CANDIDATE, CONTROL

PRODUCTS = 60
PACKAGE = "candidate-package"


@dataclass(frozen=True)
class Model:
    """How people take a model's answers: shares of answers that are attached to, slow and degraded; products shown."""

    attached: float = 0.12
    slow: float = 0.005
    fallback: float = 0.003
    varied: int = PRODUCTS


def step(share: float, **changes: object) -> ReleaseStep:
    """Return a step that may end at once."""
    facts = {"name": "canary", "share": share, "least_people": 100, "least_hours": 0.0, "margin": 0.3}
    return ReleaseStep.model_validate(facts | changes)


class People:
    """People of both arms, in the order in which they ask."""

    def __init__(self, seed: int, count: int, share: float, control: Model, candidate: Model) -> None:
        generator = np.random.default_rng(seed)
        arm = (generator.random(count) < share).astype(np.int32)  # 1: the candidate's
        often = generator.geometric(0.4, count)
        unit = np.repeat(np.arange(count, dtype=np.int32), often)
        order = generator.permutation(unit.size)
        unit = unit[order]
        mine = arm[unit]
        liking = np.where(arm == 1, candidate.attached, control.attached)
        liking = generator.beta(np.maximum(8 * liking, 1e-9), 8 * (1 - liking))
        attached = generator.random(unit.size) < liking[unit]
        price = generator.lognormal(1.0, 0.8, unit.size)
        slow = np.where(mine == 1, candidate.slow, control.slow)
        fallback = np.where(mine == 1, candidate.fallback, control.fallback)
        self.product = (generator.random(unit.size) * np.where(mine == 1, candidate.varied, control.varied)).astype(int)
        self.observed = Observed(
            request_ids=[str(number) for number in range(unit.size)],
            arms=[CANDIDATE, CONTROL],
            arm=(1 - mine).astype(np.int32),
            unit=unit,
            at=np.arange(unit.size, dtype=np.float64),
            latency_ms=np.where(generator.random(unit.size) < slow, 40.0, 3.0),
            cart_size=np.ones(unit.size, np.int64),
            fallback=generator.random(unit.size) < fallback,
            explored=np.zeros(unit.size, bool),
            clicked=attached | (generator.random(unit.size) < 0.05),
            attached=attached,
            value=np.where(attached, 3 * price, 0.0),
            margin=np.where(attached, price, 0.0),
        )

    def seen(self, until: float = 1.0, hours: float = 100.0) -> Seen:
        """Return what was seen once so large a part of all answers was given."""
        count = int(until * len(self.observed))
        cut = {
            field.name: value[:count] if isinstance(value := getattr(self.observed, field.name), np.ndarray) else value
            for field in fields(Observed)
        }
        observed = replace(self.observed, **cut | {"request_ids": self.observed.request_ids[:count]})
        observed = replace(observed, unit=np.unique(observed.unit, return_inverse=True)[1].astype(np.int32))
        times = {name: self._times(observed.arm == place, count) for place, name in enumerate(observed.arms)}
        answered = {CANDIDATE: {PACKAGE: int((observed.arm == 0).sum())}}
        return Seen(observed, Shown(times, None), answered, hours * 3600)

    def _times(self, mine: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
        return np.bincount(self.product[:count][mine], minlength=PRODUCTS).astype(np.int64)
