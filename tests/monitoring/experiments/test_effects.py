"""Effects against brute force and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.experiments.diversity import distinct_share, entropy_bits
from monitoring.experiments.effects import effect, per_person, ratio, split_p


def people(generator: np.random.Generator, count: int, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return (adds, requests) of people who ask differently often and like differently much; `rate` over requests."""
    requests = generator.geometric(0.3, count).astype(float)
    liking = generator.beta(4 * rate, 4 * (1 - rate), count)
    return generator.binomial(requests.astype(int), liking).astype(float), requests


def test_the_variance_is_that_of_drawing_people_again() -> None:
    generator = np.random.default_rng(2)
    adds, requests = people(generator, 800, 0.2)
    drawn = generator.integers(0, 800, (4_000, 800))
    again = adds[drawn].sum(axis=1) / requests[drawn].sum(axis=1)
    found = ratio(adds, requests)
    assert found.value == adds.sum() / requests.sum()
    assert found.variance == pytest.approx(again.var(), rel=0.1)
    assert found.variance > 1.5 * found.value * (1 - found.value) / requests.sum()  # requests alone are too sure


def test_the_intervals_of_one_planned_look_cover_the_truth_as_often_as_they_say() -> None:
    generator = np.random.default_rng(3)
    covered = np.zeros(2)
    for _ in range(400):
        control, arm = ratio(*people(generator, 400, 0.2)), ratio(*people(generator, 300, 0.25))
        found = effect(arm, control, alpha=0.05, tightest_at=1_000)
        covered += (
            found.interval[0] <= 0.05 <= found.interval[1],
            found.relative_interval[0] <= 0.25 <= found.relative_interval[1],
        )
    assert ((covered / 400 >= 0.91) & (covered / 400 <= 0.99)).all()


def test_the_interval_of_any_look_is_wider_than_that_of_one() -> None:
    generator = np.random.default_rng(4)
    found = effect(
        ratio(*people(generator, 300, 0.3)), ratio(*people(generator, 300, 0.2)), alpha=0.05, tightest_at=600
    )
    assert found.always[0] < found.interval[0] < found.absolute < found.interval[1] < found.always[1]


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 9)), min_size=2, max_size=40), st.randoms())
def test_the_order_of_requests_and_the_numbers_of_people_change_nothing(
    rows: list[tuple[int, int]], chance: np.random.Generator
) -> None:
    def found(told: list[tuple[int, int]], names: list[int]) -> tuple[float, float, int]:
        unit = np.unique([names[who] for who, _ in told], return_inverse=True)[1].astype(np.int32)
        values = np.array([[value, 1.0] for _, value in told])
        one = ratio(*per_person(unit, values).T)
        return one.value, one.variance, one.people

    shuffled, names = list(rows), list(range(5))
    chance.shuffle(shuffled)
    chance.shuffle(names)
    assert found(shuffled, names) == pytest.approx(found(rows, list(range(5))), nan_ok=True)


def test_sums_by_person_are_sums() -> None:
    totals = per_person(np.array([1, 0, 1], dtype=np.int32), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert totals.tolist() == [[3.0, 4.0], [6.0, 8.0]]


def test_one_person_or_none_tells_no_variance() -> None:
    assert np.isnan(ratio(np.ones(1), np.ones(1)).variance)
    nobody = ratio(np.zeros(0), np.zeros(0))
    assert np.isnan(nobody.value)
    found = effect(nobody, ratio(np.ones(3), np.ones(3)), alpha=0.05, tightest_at=100)
    assert (found.p, found.always) == (1.0, (-np.inf, np.inf))


def test_nothing_is_relative_to_a_control_of_zero() -> None:
    found = effect(ratio(np.array([0.0, 1.0]), np.ones(2)), ratio(np.zeros(3), np.ones(3)), alpha=0.05, tightest_at=100)
    assert found.absolute == 0.5
    assert np.isnan(found.relative)


def test_people_who_split_as_planned_raise_no_alarm_and_others_do() -> None:
    generator = np.random.default_rng(5)
    alarms = sum(
        split_p([arm := int(generator.binomial(3_000, 0.2)), 3_000 - arm], [0.2, 0.8]) < 0.05 for _ in range(500)
    )
    assert 0.02 <= alarms / 500 <= 0.09
    assert split_p([5_000, 5_400], [1, 1]) < 0.001
    assert split_p([500, 520], [1, 1]) > 0.1
    assert split_p([0, 0], [1, 1]) == 1.0
    assert split_p([0, 40], [1, 1]) < 0.001


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6).filter(any), st.data())
def test_distinct_products_among_some_are_those_of_drawing_them(times: list[int], data: st.DataObject) -> None:
    drawn = data.draw(st.integers(1, sum(times)))
    shown = np.repeat(np.arange(len(times)), times)
    generator = np.random.default_rng(1)
    some = [len(set(generator.permutation(shown)[:drawn].tolist())) / drawn for _ in range(300)]
    assert distinct_share(np.array(times), drawn) == pytest.approx(np.mean(some), abs=0.12)
    assert distinct_share(np.array(times), sum(times)) == pytest.approx(np.count_nonzero(times) / sum(times))


def test_entropy_counts_the_categories_that_are_shown_alike() -> None:
    assert entropy_bits(np.array([7, 7, 0, 7, 7])) == pytest.approx(2.0)
    assert entropy_bits(np.array([9, 0])) == 0.0
    assert entropy_bits(np.array([30, 1])) < entropy_bits(np.array([20, 11])) < 1.0
