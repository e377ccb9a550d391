"""Budgets, what arms are reckoned to cost, and which of them there is time for."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from serving.budget import KEPT_BACK, Budget
from serving.costs import HALF_LIFE_SECONDS, Costs
from serving.ladder import BEHIND_SECONDS, CHEAPER, LAST, LOWER, Ladder, step_of
from training.recommender import ARMS

BELOW_MODEL = ["model", "student_int8", "frequently_bought_together", "segment_popularity"]


class Ticks:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def ladder(costs: dict[str, float], behind: Callable[[], int] = lambda: 1) -> tuple[Ladder, Ticks]:
    """Return a ladder whose arms have cost so much, once each, and its clock."""
    ticks = Ticks()
    made = Ladder(behind, ticks)
    for arm, seconds in costs.items():
        with made.measured(arm):
            ticks.now += seconds
    return made, ticks


def arms(made: Ladder, ticks: Ticks, left: float) -> list[str]:
    return list(made.down("model", Budget(ticks.now + left)))


def test_the_shortest_deadline_holds_and_counts_from_the_arrival() -> None:
    assert Budget.of(10.0, 100.0, None, None).left(10.0) == pytest.approx(0.1 * (1 - KEPT_BACK))
    assert Budget.of(10.0, 100.0, 30.0, 50.0).left(10.01) == pytest.approx(0.03 * (1 - KEPT_BACK) - 0.01)
    assert Budget.of(10.0, 100.0, 5_000.0, None) == Budget.of(10.0, 100.0)
    assert Budget.of(10.0, 100.0).left(11.0) == 0.0
    assert Budget(1.0).share(0.5, 0.2) == pytest.approx(0.4)


def test_with_time_enough_the_arms_come_in_the_ladders_order() -> None:
    made, ticks = ladder({"model": 0.008, CHEAPER: 0.004, "frequently_bought_together": 0.001, LAST: 0.0002})
    assert arms(made, ticks, 0.05) == BELOW_MODEL


@pytest.mark.parametrize(("left", "first"), [(0.0161, 0), (0.0159, 1), (0.0079, 2), (0.0019, 3), (0.0, 3)])
def test_the_first_arm_is_the_best_whose_cost_still_fits(left: float, first: int) -> None:
    made, ticks = ladder({"model": 0.008, CHEAPER: 0.004, "frequently_bought_together": 0.001, LAST: 0.0002})
    assert arms(made, ticks, left) == BELOW_MODEL[first:]


def test_time_that_passes_while_an_arm_fails_counts() -> None:
    made, ticks = ladder({"model": 0.008, CHEAPER: 0.004, "frequently_bought_together": 0.001})
    going = made.down("model", Budget(ticks.now + 0.017))
    assert next(going) == "model"
    ticks.now += 0.010
    assert next(going) == "frequently_bought_together"


def test_who_waits_behind_is_left_at_least_the_last_rung() -> None:
    waiting = 1
    made, ticks = ladder({"model": 0.008}, lambda: waiting)
    assert arms(made, ticks, 0.03)[0] == "model"
    waiting = 1 + int(0.015 / BEHIND_SECONDS)
    assert arms(made, ticks, 0.03)[0] != "model"


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_ends_with_the_popular_set_and_none_comes_twice(arm: str) -> None:
    made, ticks = ladder({})
    found = list(made.down(arm, Budget(ticks.now)))
    assert found[0] == arm
    assert LAST in found
    assert len(set(found)) == len(found)
    assert set(found[1:]) <= set(LOWER)


def test_costs_are_a_high_quantile_of_the_newest_so_that_one_pause_condemns_nothing() -> None:
    costs, draw = Costs(), np.random.default_rng(3)
    seen = draw.uniform(0.005, 0.010, 200)
    for seconds in seen:
        costs.add("model", float(seconds), 1.0)
    assert costs.expected("model", 1.0) == np.quantile(seen[-50:], 0.9, method="lower")
    costs.add("model", 0.25, 1.0)
    assert costs.expected("model", 1.0) <= 0.010
    assert costs.expected("never seen", 1.0) == 0.0


def test_what_was_too_dear_is_tried_again_in_time() -> None:
    costs = Costs()
    costs.add("model", 0.01, 0.0)
    for _ in range(60):
        costs.add("model", 0.4, 0.0)
    assert costs.expected("model", 0.0) == 0.4
    assert costs.expected("model", 2 * HALF_LIFE_SECONDS) == pytest.approx(0.1)
    assert costs.expected("model", 1_000.0) == 0.01


def test_step_tells_the_worse_of_state_and_ranking() -> None:
    assert step_of(None, "model", "model") is None
    assert step_of("session_only", "model", "model") == "session_only"
    assert step_of("request_only", "model", LAST) == "popular"
    assert step_of(None, "model", "model", empty=True) == "empty"
