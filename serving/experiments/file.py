"""The experiments file: one running experiment, its arms and what each of them does."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Self

from pydantic import AwareDatetime, Field, ValidationError, field_validator, model_validator

from configs.errors import ConfigError
from configs.learning import SignalSettings
from configs.section import Section
from configs.yaml_file import read_mapping
from events.contract import MAX_ID
from training.aliases import CHAMPION
from training.recommender import ARMS, SIGNALS

KEYS = "name, start, salt and arms"


class Exploration(Section):
    """Chance fills the last places of some answers, so that what is usually not shown can be learned about.

    What it may cost is bounded: at most `epsilon` of the arm's answers, at most `slots` places of each, and none of
    them goes to a product that was ranked below the pool.
    """

    epsilon: float = Field(gt=0, le=1, description="share of the arm's answers in which chance fills the places")
    slots: int = Field(default=1, ge=1, description="so many last places of an answer")
    pool: int = Field(
        ge=2, le=200, description="products that chance draws from: those ranked from the first such place on"
    )
    max_share_of_requests: float = Field(
        gt=0,
        le=1,
        description="bound on the experiment's requests that chance may change: epsilon times the arm's share",
    )

    @model_validator(mode="after")
    def _pool_fills_the_slots(self) -> Self:
        if self.pool < self.slots:
            raise ValueError(f"pool is {self.pool}, expected at least as many products as slots ({self.slots})")
        return self


class Arm(Section):
    """One way to answer."""

    name: str = Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f]+$")
    share: float = Field(default=0.0, ge=0, le=1, description="of the people; all that are not shadows add up to 1")
    ranking: str = Field(default="model", description="one of training.recommender.ARMS")
    alias: str = Field(default=CHAMPION, description="whose model: champion, challenger, …")
    rules: Path | None = Field(
        default=None,
        description="rules file whose parts take the place of the shop's, see `serving.rules`; a relative path counts "
        "from the experiments file; null: the shop's rules",
    )
    weights: Mapping[str, float] = Field(
        default={},
        description="of the ranking `signals`: some of configs.learning.SignalSettings; the rest are the model's",
    )
    shadow: bool = Field(
        default=False, description="what it would show is logged with every exposure and shown to nobody"
    )
    exploration: Exploration | None = None

    @field_validator("ranking")
    @classmethod
    def _known_ranking(cls, ranking: str) -> str:
        if ranking not in ARMS:
            raise ValueError(f"expected one of {', '.join(ARMS)}")
        return ranking

    @field_validator("weights")
    @classmethod
    def _known_weights(cls, weights: Mapping[str, float]) -> Mapping[str, float]:
        try:  # those that are not told are a model's, and fit
            found = SignalSettings.model_validate(dict.fromkeys(SignalSettings.model_fields, 1) | dict(weights))
        except ValidationError as error:
            raise ValueError("; ".join(_problem(item, "together") for item in error.errors())) from None
        return {name: getattr(found, name) for name in weights}

    @model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.weights and self.ranking != SIGNALS:
            raise ValueError(f"weights are those of ranking: {SIGNALS} (found {self.ranking!r}): leave them out")
        if self.shadow and (self.share or self.exploration or self.rules):
            raise ValueError("a shadow is shown to nobody: leave share, exploration and rules out")
        if not self.shadow and not self.share:
            raise ValueError("share is missing or 0: give the share of people, or shadow: true")
        bound = None if self.exploration is None else self.exploration.max_share_of_requests
        if self.exploration is not None and bound is not None and self.share * self.exploration.epsilon > bound + 1e-9:
            changed = self.share * self.exploration.epsilon
            raise ValueError(
                f"share × epsilon is {changed:g}, expected at most max_share_of_requests ({bound:g}): lower epsilon"
            )
        return self


class Experiment(Section):
    """What the file says.

    Attributes:
        start: before it nobody is in the experiment.
        salt: part of the hash that assigns; another one deals everybody anew.
    """

    name: str = Field(min_length=1, max_length=MAX_ID, pattern=r"^[^\x00-\x1f]+$")
    start: AwareDatetime = Field(description="by the service's clock, with its time zone: 2026-01-31T00:00:00Z")
    salt: str = Field(min_length=1)
    arms: tuple[Arm, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _arms_fit_together(self) -> Self:
        names = [arm.name for arm in self.arms]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two arms are called {twice[0]!r}: give each a name of its own")
        total = math.fsum(arm.share for arm in self.arms)
        if abs(total - 1) > 1e-9:
            raise ValueError(f"the shares of the arms add up to {total:g}, expected 1")
        return self


def read_experiment(path: Path, *, aliases: Collection[str] = (CHAMPION,)) -> Experiment:
    """Return what an experiments file says; its arms' rules files are named and not read yet.

    Args:
        path: of the YAML file. aliases: whose models this process can serve.

    Raises:
        ConfigError: it cannot be read or does not fit; names the file, the key, what was found and what is expected.
    """
    content = read_mapping(path, "Experiments file", KEYS, named_by=" (serving.experiments)")
    return experiment_of(content, f"Experiments file {path}", aliases=aliases, folder=path.parent)


def experiment_of(
    content: Mapping[str, Any], told_by: str, *, aliases: Collection[str] = (CHAMPION,), folder: Path | None = None
) -> Experiment:
    """Return the experiment that a mapping tells.

    Args:
        content: of the file. told_by: what it is the content of, for errors. aliases: see `read_experiment`.
        folder: from which the paths of rules files count; None: arms may not name any.

    Raises:
        ConfigError: it does not fit.
    """
    try:
        found = Experiment.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        raise ConfigError(f"{told_by} does not fit: {problems}. Correct it, see README.md.") from None
    _check_arms(found, told_by, aliases, rules=folder is not None)
    if folder is None:
        return found
    arms = [arm.model_copy(update={"rules": folder / arm.rules}) if arm.rules else arm for arm in found.arms]
    return found.model_copy(update={"arms": tuple(arms)})


def _check_arms(found: Experiment, told_by: str, aliases: Collection[str], *, rules: bool) -> None:
    for number, arm in enumerate(found.arms):
        where = f"{told_by} does not fit: arms.{number}"
        if arm.alias not in aliases:
            known = ", ".join(sorted(aliases))
            raise ConfigError(
                f"{where}.alias is {arm.alias!r}, expected one that this service holds a model of: {known}."
            )
        if arm.rules is not None and not rules:
            raise ConfigError(f"{where}.rules is {str(arm.rules)!r}, but only arms of serving.experiments have rules.")


def _problem(item: Mapping[str, Any], whole: str = "the file") -> str:
    found = item["input"]
    shown = f" (found {str(found)!r})" if isinstance(found, bool | int | float | str | date) else ""
    key = ".".join(map(str, item["loc"])) or whole
    return f"{key}: {item['msg'].removeprefix('Value error, ')}{shown}"
