"""The figures of an evaluation: arms, pairs, candidates and what a tracking server gets of them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from training.candidates import GENERATORS
from training.evaluation.metrics import Hidden, Lists, Products, judge
from training.evaluation.ranking import Found, Shown
from training.evaluation.report import Asked, candidates, paired, variant_report
from training.evaluation.scalars import scalars
from training.evaluation.slices import either
from training.protocol import Case

CASES, DEPTH, SIZE = 60, 20, 50
GENERATOR = np.random.default_rng(1)
HIDDEN = Hidden.of(
    [Case(n, n, np.empty(0, dtype=np.int32), np.array([n % SIZE], dtype=np.int32)) for n in range(CASES)]
)
PRODUCTS = Products(1.0 + np.arange(SIZE), np.arange(SIZE) % 3, np.ones(SIZE))
ASKED = Asked(HIDDEN, (np.arange(CASES) // 3).astype(np.int32), PRODUCTS, k=10, samples=200, seed=4)
RANDOM = Lists(np.stack([GENERATOR.permutation(SIZE)[:DEPTH] for _ in range(CASES)]).astype(np.int32))
PERFECT = Lists(np.concatenate([HIDDEN.product[:, None], (HIDDEN.product[:, None] + np.arange(1, DEPTH)) % SIZE], 1))
NOTHING = Found(
    np.ones((CASES, 1 + len(GENERATORS)), dtype=np.int32), np.zeros((CASES, 1 + len(GENERATORS)), dtype=bool)
)


def test_the_better_arm_leads_by_the_difference_of_the_rates() -> None:
    shown = Shown({"model": PERFECT, "random": RANDOM}, {}, NOTHING)
    report = variant_report(ASKED, shown, {}, ("hit_rate", "ndcg"))
    model, random = (report["arms"][arm]["hit_rate"]["value"] for arm in ("model", "random"))
    lead = report["paired"]["random"]["hit_rate"]
    assert model == 1.0
    assert lead["difference"] == pytest.approx(model - random, abs=1e-5)
    assert lead["relative"] == pytest.approx(model / random - 1, abs=1e-3)
    assert lead["ci95"][0] > 0
    assert lead["p"] < 0.01


def test_an_arm_that_ranks_like_the_model_differs_by_nothing() -> None:
    judged = {arm: judge(RANDOM, HIDDEN, PRODUCTS, 10) for arm in ("model", "twin", "other twin")}
    for metrics in paired(ASKED, judged, ("hit_rate", "ndcg")).values():
        for found in metrics.values():
            assert (found["difference"], found["ci95"], found["p"], found["p_holm"]) == (0, [0, 0], 1, 1)


def test_the_groups_of_a_slicing_average_to_the_whole() -> None:
    shown = Shown({"model": RANDOM}, {}, NOTHING)
    report = variant_report(ASKED, shown, {"repeat": either(np.arange(CASES) % 4 == 0, "repeat", "new")}, ("ndcg",))
    groups = report["slices"]["repeat"]
    assert {label: group["cases"] for label, group in groups.items()} == {"repeat": 15, "new": 45}
    mean = sum(group["cases"] * group["hit_rate"]["model"]["value"] for group in groups.values()) / CASES
    assert mean == pytest.approx(report["arms"]["model"]["hit_rate"]["value"], abs=1e-4)
    assert report["arms"]["model"]["repeat"] == groups["repeat"]["hit_rate"]["model"]
    assert report["paired"] == {}


def test_an_arm_that_tells_probabilities_is_checked_for_honesty() -> None:
    tells = np.where(np.arange(10) == 0, 1.0, 0.0) * np.ones((CASES, 1))
    report = variant_report(
        ASKED, Shown({"model": PERFECT, "random": RANDOM}, {"model": tells}, NOTHING), {}, ("ndcg",)
    )
    assert report["calibration"]["model"]["ece"] == 0
    assert report["calibration"]["model"]["pairs"] == CASES * 10
    assert set(report["calibration"]) == {"model"}


@given(hnp.arrays(np.bool_, (CASES, len(GENERATORS))))
def test_candidate_recall_is_that_of_the_sets(alone: np.ndarray) -> None:
    found = Found(NOTHING.size, np.concatenate([alone.any(axis=1)[:, None], alone], axis=1))
    report = candidates(found, HIDDEN)
    assert report["recall"] == pytest.approx(np.mean([any(row) for row in alone]), abs=1e-5)
    for column, figures in enumerate(report["by_generator"].values()):
        assert figures["recall"] == pytest.approx(np.mean(alone[:, column]), abs=1e-5)
        without = np.delete(alone, column, axis=1).any(axis=1)
        assert figures["only"] == pytest.approx(report["recall"] - np.mean(without), abs=2e-5)


@given(st.integers(0, 3))
def test_whatever_was_not_measured_is_null_and_not_logged(k: int) -> None:
    priceless = Products(np.full(SIZE, np.nan), PRODUCTS.category, PRODUCTS.information)
    asked = Asked(HIDDEN, ASKED.shopper, priceless, k=k + 1, samples=100, seed=1)
    report = variant_report(asked, Shown({"model": RANDOM, "random": RANDOM}, {}, NOTHING), {}, ("hit_rate",))
    assert report["arms"]["model"]["price_shown"]["value"] is None
    json.dumps(report, allow_nan=False)
    logged = scalars({"variants": {"loo": report}})
    assert "loo.model.price_shown" not in logged
    assert logged["loo.model.hit_rate_at_5"] == report["arms"]["model"]["hit_rate@5"]["value"]
    assert all(name.count(".") == 2 and "@" not in name and math.isfinite(value) for name, value in logged.items())
