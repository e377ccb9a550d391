"""Settings of a release: the steps by which a new version comes to serve everybody, and what holds it up."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from configs.section import Section

Metric = Literal["attach_rate", "people_attaching", "click_rate", "value_per_request", "margin_per_request"]


class ReleaseStep(Section):
    """One step: who is answered by the new version, and what has to be known before it goes on."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40, description="part of the experiment's name")
    share: float = Field(
        ge=0,
        lt=1,
        description="of the people; 0: a shadow, which is scored and shown to nobody. Small at first: so few meet a "
        "bad version; half in the end: that is where a difference is found soonest",
    )
    least_people: int = Field(
        ge=10,
        description="people in each arm before the step may end: an estimate of fewer is not normal enough to judge by",
    )
    least_hours: float = Field(
        ge=0, description="the step lasts so long at least: people differ by the hour, and some come back another day"
    )
    margin: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="the version goes on once it is surely worse by less than this share of the control's figure. Wide "
        "for a small share, which tells little and risks little; narrow for the step after which all are answered",
    )


class ReleaseGuardrailSettings(Section):
    """What a new version may not do, whatever its figures: surely beyond a limit, it is stopped."""

    latency_ms: float = Field(
        gt=0, description="answers that take longer are slow; the limit of an experiment's 99th percentile"
    )
    slow_share: float = Field(
        gt=0,
        lt=1,
        description="more slow answers than the control has, as a share of answers: 1 % is what a 99th percentile "
        "allows; the control's are allowed for, since both run on the same busy machine",
    )
    fallback_share: float = Field(
        gt=0, lt=1, description="the same for answers that are degraded: Redis being away is no fault of the version"
    )
    margin_drop: float = Field(
        gt=0, lt=1, description="margin a request below the control's by more than this share, surely below it"
    )
    diversity_drop: float = Field(
        gt=0,
        lt=1,
        description="distinct products, or their spread over categories, below the control's by more than this share: "
        "a retrained version differs by a few per cent, one that shows the same to all by far more. Judged once enough "
        "people were seen, since no test is made of it",
    )


class ReleaseShadowSettings(Section):
    """What a shadow's lists may not be; its slow ones are judged as a guardrail."""

    failed_share: float = Field(
        gt=0, lt=1, description="share of answers for which it had no list; as many as may fall back"
    )
    least_agreement: float = Field(
        gt=0,
        lt=1,
        description="mean share of its products that were shown as well: versions of neighbouring weeks share most of "
        "them, one that was trained on shuffled labels or broken features shares few",
    )


class ReleaseSettings(Section):
    """How a version comes to serve everybody."""

    steps: tuple[ReleaseStep, ...] = Field(min_length=1, description="in order, by growing share")
    metrics: tuple[Metric, ...] = Field(
        min_length=1, description="figures in which the version may not be worse; each costs the others some power"
    )
    alpha: float = Field(
        gt=0,
        lt=0.5,
        description="share of releases of a version that is as good as the control in which it is ever stopped as "
        "worse, however often one looks; shared out evenly among steps, figures and guardrails",
    )
    most_hours: float = Field(
        gt=0,
        description="a step that is undecided for so long ends the release: two weeks of traffic that cannot tell will "
        "not tell, and the version's data grow old",
    )
    unserved_share: float = Field(
        gt=0,
        lt=1,
        description="share of the candidate's answers that other models gave: more means that workers cannot load it",
    )
    guardrails: ReleaseGuardrailSettings
    shadow: ReleaseShadowSettings

    @field_validator("steps")
    @classmethod
    def _in_order(cls, steps: tuple[ReleaseStep, ...]) -> tuple[ReleaseStep, ...]:
        if len({step.name for step in steps}) < len(steps):
            raise ValueError("two steps have the same name: give each a name of its own")
        for before, after in pairwise(steps):
            if after.share <= before.share:
                raise ValueError(
                    f"step {after.name!r} has a share of {after.share:g}, expected more than the one before"
                )
        return steps

    @model_validator(mode="after")
    def _ends_later(self) -> Self:
        longest = max(self.steps, key=lambda step: step.least_hours)
        if longest.least_hours >= self.most_hours:
            raise ValueError(
                f"step {longest.name!r} lasts at least {longest.least_hours:g} hours, expected less than most_hours"
            )
        return self

    def step(self, name: str) -> ReleaseStep | None:
        """Return the step of a name."""
        return next((step for step in self.steps if step.name == name), None)

    def after(self, step: ReleaseStep) -> ReleaseStep | None:
        """Return the next step; None after the last."""
        place = self.steps.index(step) + 1
        return self.steps[place] if place < len(self.steps) else None
