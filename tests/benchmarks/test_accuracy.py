"""The accuracy benchmark judges what it says, reports it and tells wrong names. Its figures are nobody's test."""

from __future__ import annotations

import json

import pytest

from benchmarks.accuracy import measure, print_table
from configs import Settings
from configs.errors import ConfigError
from training.baselines import BASELINES


def test_the_arms_that_the_evaluation_judges_too_get_the_same_hit_rate(built_shop: Settings) -> None:
    figures = measure(built_shop, "test", ["popularity", "frequently_bought_together"])
    arms = json.loads((built_shop.work.reports / "evaluation.json").read_text())["variants"]["loo"]["arms"]
    for name, found in figures.items():
        assert round(found.hit_rate, 5) == arms[name]["hit_rate"]["value"]
        assert [round(found.low, 5), round(found.high, 5)] == arms[name]["hit_rate"]["ci95"]
        assert round(found.ndcg, 5) == arms[name]["ndcg"]["value"]


def test_every_baseline_is_measured_printed_and_reported(
    built_shop: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = measure(built_shop, "validation")
    print_table(figures, "validation", 10)
    printed = capsys.readouterr().out
    assert list(figures) == [kind.name for kind in BASELINES]
    assert all(name in printed for name in figures)
    for found in figures.values():
        assert 0 <= found.low <= found.hit_rate <= found.high <= 1
        assert found.mrr <= found.ndcg <= found.hit_rate
    report = json.loads((built_shop.work.reports / "accuracy.json").read_text())
    assert report["window"] == "validation"
    assert set(report["baselines"]) == set(figures)


@pytest.mark.parametrize(("window", "only", "told"), [("late", None, "window 'late'"), ("test", ["magic"], "'magic'")])
def test_a_wrong_name_is_told_with_the_right_ones(
    built_shop: Settings, window: str, only: list[str] | None, told: str
) -> None:
    with pytest.raises(ConfigError, match=told):
        measure(built_shop, window, only)
