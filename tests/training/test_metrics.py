"""Metrics against definitions written out, and intervals against what they promise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.metrics import judge, mean_with_interval


def by_hand(ranked: list[int], hidden: set[int], k: int) -> tuple[float, float, float, float]:
    hits = [place for place, product in enumerate(ranked[:k]) if product in hidden]
    gain = sum(1 / math.log2(place + 2) for place in hits)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(k, len(hidden))))
    return float(bool(hits)), len(hits) / len(hidden), gain / ideal, 1 / (hits[0] + 1) if hits else 0.0


@given(
    st.lists(st.integers(0, 30), unique=True, max_size=20),
    st.sets(st.integers(0, 30), min_size=1, max_size=8),
    st.integers(1, 12),
)
def test_judging_equals_the_definitions(ranked: list[int], hidden: set[int], k: int) -> None:
    judged = judge(np.array(ranked, dtype=np.int32), np.array(sorted(hidden), dtype=np.int32), k)
    assert judged == pytest.approx(by_hand(ranked, hidden, k))


def test_the_interval_holds_the_mean_and_is_wider_for_shoppers_who_are_alike_within() -> None:
    values = np.repeat([0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0], 25)
    alike = np.repeat(np.arange(8), 25).astype(np.int32)
    apart = np.arange(200).astype(np.int32)
    clustered = mean_with_interval(values, alike, 500, 1)
    independent = mean_with_interval(values, apart, 500, 1)
    assert clustered.low < clustered.value == 0.5 < clustered.high
    assert clustered.high - clustered.low > 2 * (independent.high - independent.low)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        values = (generator.random(150) < 0.3).astype(float)
        mean = mean_with_interval(values, np.arange(150, dtype=np.int32), 200, 3)
        covered += mean.low <= 0.3 <= mean.high
    assert 0.88 <= covered / 200 <= 0.99
