"""The gate's statistics, on made-up outcomes whose truth is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from configs import load_settings
from configs.errors import ConfigError
from configs.gating import GateSettings
from features.history import History
from features.windows import Window
from training.evaluation.slices import Slicing
from training.gate.comparison import Pair, better, groups_hold
from training.gate.fresh import FreshCases
from training.protocol import Case

SHOPPERS, EACH = 400, 5
CASES = SHOPPERS * EACH
EMPTY = np.empty(0, dtype=np.int32)
GROUPS = 10


def gate(**changed: Any) -> GateSettings:
    return load_settings().registry.gate.model_copy(update={"slices": ("group",), "samples": 1000} | changed)


def made_up(groups: int = GROUPS) -> FreshCases:
    """Return cases of shoppers who each come a few times, in groups of equal size."""
    history = History.__new__(History)
    object.__setattr__(history, "shopper", np.repeat(np.arange(SHOPPERS, dtype=np.int32), EACH))
    cases = [Case(number, number, EMPTY, EMPTY) for number in range(CASES)]
    slicing = Slicing([str(label) for label in range(groups)], np.arange(CASES) % groups)
    return FreshCases(history, cases, [], Window(0, CASES), {"group": slicing})


def outcomes(rate: float, chance: np.random.Generator) -> NDArray[np.float64]:
    """Return hits and misses at a rate that differs between shoppers, the same for all models."""
    own = np.repeat(np.random.default_rng(1).uniform(0.5, 1.5, SHOPPERS), EACH)
    return (chance.random(CASES) < rate * own).astype(np.float64)


def pair(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Pair:
    return Pair(made_up(), ours, theirs, 7, "1")


def test_a_model_that_hits_clearly_more_often_is_better_whatever_it_costs() -> None:
    chance = np.random.default_rng(2)
    check = better(pair(outcomes(0.35, chance), outcomes(0.20, chance)), gate(), cost_ratio=3.0)
    assert check.passed
    assert check.figures["ci95"][0] > 0
    assert check.says.endswith("better")


def test_an_equal_model_passes_only_if_it_is_cheaper() -> None:
    same = outcomes(0.3, np.random.default_rng(3))
    assert not better(pair(same, same), gate(), cost_ratio=1.0).passed
    cheap = better(pair(same, same), gate(), cost_ratio=0.5)
    assert cheap.passed
    assert "not worse and it costs 0.50 times" in cheap.says


def test_a_cheaper_model_that_loses_more_than_the_margin_does_not_pass() -> None:
    theirs = outcomes(0.3, np.random.default_rng(4))
    ours = theirs.copy()
    ours[np.flatnonzero(ours)[::10]] = 0.0  # a tenth of its hits
    check = better(pair(ours, theirs), gate(worse_share=0.02), cost_ratio=0.1)
    assert not check.passed
    assert "maybe more than 2% worse" in check.says
    assert better(pair(ours, theirs), gate(worse_share=0.2), cost_ratio=0.1).passed


def test_a_worse_model_is_not_called_better_however_sure_that_is() -> None:
    chance = np.random.default_rng(5)
    check = better(pair(outcomes(0.1, chance), outcomes(0.3, chance)), gate(), cost_ratio=1.0)
    assert check.figures["p"] < 0.01
    assert not check.passed


def test_chance_alone_rarely_calls_a_model_better_or_a_group_worse() -> None:
    chance, tries = np.random.default_rng(6), 60
    pairs = [pair(outcomes(0.3, chance), outcomes(0.3, chance)) for _ in range(tries)]
    bounds = gate(slice_worse_share=0.0, samples=400)
    called = sum(better(one, bounds, cost_ratio=1.0).passed for one in pairs[:30])
    refused = sum(not groups_hold(one, bounds).passed for one in pairs)
    # At most 2.5 % and 5 %: by chance more than these, once in a thousand test runs of other seeds.
    assert called <= 4
    assert refused <= 9


def test_a_group_that_loses_is_named_though_the_whole_wins() -> None:
    chance = np.random.default_rng(8)
    ours, theirs = outcomes(0.6, chance), outcomes(0.4, chance)
    ours[np.arange(CASES) % GROUPS == 3] = 0.0
    both = pair(ours, theirs)
    assert better(both, gate(), cost_ratio=1.0).passed
    check = groups_hold(both, gate(slice_cases=100))
    assert not check.passed
    assert "group=3" in check.says.split("worse off than with version 1: ")[1]
    assert "group=4" not in check.says
    assert check.figures["group=3"]["candidate"] == 0.0


def test_a_group_with_few_cases_says_nothing() -> None:
    theirs = np.ones(CASES)
    check = groups_hold(pair(np.zeros(CASES), theirs), gate(slice_cases=CASES, slices=("group=3", "group=none")))
    assert check.passed
    assert "no group has" in check.says


def test_models_that_never_hit_are_not_worse_than_each_other() -> None:
    nothing = np.zeros(CASES)
    assert better(pair(nothing, nothing), gate(), cost_ratio=0.5).passed
    assert groups_hold(pair(nothing, nothing), gate(slice_cases=100)).passed


def test_a_grouping_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    same = np.ones(CASES)
    with pytest.raises(ConfigError, match="'colour', but cases are grouped by group"):
        groups_hold(pair(same, same), gate(slices=("colour",)))
