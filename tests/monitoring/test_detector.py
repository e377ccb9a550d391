"""The e-detector against brute force, and against the alarms that it promises not to raise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta

from monitoring.detector import BETS, Evidence, fold

LIMIT = 0.1
observed = st.lists(st.floats(0, 1), min_size=1, max_size=25)


def seen(values: object, limit: float = LIMIT) -> Evidence:
    array = np.asarray(values, np.float64)
    return fold(Evidence.none(1 if array.ndim == 1 else array.shape[1]), array, np.arange(len(array)), limit)


@given(observed, st.floats(0.02, 0.9))
def test_the_sum_is_that_of_bets_started_at_every_moment(values: list[float], limit: float) -> None:
    for column, bet in enumerate(BETS):
        stakes = [np.prod([1 + bet * (value / limit - 1) for value in values[start:]]) for start in range(len(values))]
        found = seen(values, limit)
        assert found.sums[0, column] == pytest.approx(sum(stakes), rel=1e-9)
        assert found.best[0, column] == pytest.approx(max(stakes), rel=1e-9)
        assert stakes[int(found.since[0, column])] == pytest.approx(max(stakes), rel=1e-9)


@given(observed, st.integers(0, 25))
def test_in_how_many_parts_observations_come_changes_nothing(values: list[float], cut: int) -> None:
    whole, moments = seen(values), np.arange(len(values))
    first = fold(Evidence.none(), values[:cut], moments[:cut], LIMIT)
    parts = fold(first, values[cut:], moments[cut:], LIMIT)
    for name in ("sums", "best", "since"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name), equal_nan=True)
    assert parts.observations == len(values)


def first_alarms(observations: np.ndarray, limit: float, threshold: float) -> np.ndarray:
    """Return when each stream's alarm comes first, counted from 1; one after the last without any."""
    evidence = Evidence.none(observations.shape[1])
    first = np.full(observations.shape[1], len(observations) + 1)
    for number, row in enumerate(observations, 1):
        evidence = fold(evidence, row[None], [number], limit)
        first[(evidence.total >= threshold) & (first > number)] = number
    return first


@pytest.mark.parametrize("kind", ["at the limit", "seldom and large", "in waves"])
def test_while_all_is_well_alarms_are_as_rare_as_promised(kind: str) -> None:
    """Sums are a submartingale of mean n after n observations: alarms by then are at most n / threshold (Doob)."""
    generator, threshold, n, streams = np.random.default_rng(5), 1_000.0, 60, 4_000
    mean = np.full((n, 1), LIMIT)
    if kind == "in waves":  # what comes next may depend on all before, as long as it is no worse than the limit
        mean = LIMIT * (0.5 + 0.5 * np.sign(np.sin(np.arange(n) / 3)))[:, None]
    values = generator.random((n, streams)) < mean
    observations = values.astype(float)
    if kind == "seldom and large":
        observations = np.where(generator.random((n, streams)) < LIMIT / 5, 1.0, 0.8 * LIMIT / (1 - LIMIT / 5))
    alarms = int((first_alarms(observations, LIMIT, threshold) <= n).sum())
    assert beta.ppf(0.99, alarms + 1, streams - alarms) <= n / threshold


def test_the_mean_time_to_a_false_alarm_is_at_least_the_threshold() -> None:
    generator, threshold = np.random.default_rng(6), 100.0
    observations = (generator.random((3_000, 400)) < LIMIT).astype(float)
    first = first_alarms(observations, LIMIT, threshold)
    assert first.mean() - 3 * first.std() / np.sqrt(first.size) >= threshold
    assert (first <= 3_000).mean() > 0.9  # it is a test: alarms do come


def test_a_change_long_after_the_start_is_found_as_soon_as_one_at_the_start() -> None:
    generator, streams = np.random.default_rng(7), 100
    bad = (generator.random((400, streams)) < 3 * LIMIT).astype(float)
    well = (generator.random((4_000, streams)) < 0.8 * LIMIT).astype(float)
    at_once = first_alarms(bad, LIMIT, 1e6)
    later = first_alarms(np.concatenate([well, bad]), LIMIT, 1e6) - 4_000
    assert (at_once <= 400).all()
    assert later.min() > 0
    assert np.median(later) <= np.median(at_once) + 10


def test_the_onset_is_near_the_change() -> None:
    generator = np.random.default_rng(8)
    well = (generator.random((2_000, 60)) < 0.7 * LIMIT).astype(float)
    bad = (generator.random((300, 60)) < 4 * LIMIT).astype(float)
    onset = seen(np.concatenate([well, bad])).onset
    assert abs(np.median(onset) - 2_000) < 20


@pytest.mark.parametrize(("value", "limit"), [(1.1, 0.1), (-0.1, 0.1), (0.5, 0.0), (0.5, 1.0)])
def test_what_lies_outside_is_refused(value: float, limit: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        seen([value], limit)


def test_a_breach_that_nobody_mends_overflows_nothing() -> None:
    found = seen(np.ones(5_000))
    assert np.isfinite(found.sums).all()
    assert np.isfinite(found.best).all()
