"""The anchor benchmark judges the model as the evaluation does, beside a LambdaRank of plain features."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from benchmarks.anchor import ANCHOR, PLAIN, measure, table_of
from configs import Settings
from features.definitions import columns_of
from training.evaluation.arms import MODEL


def test_the_model_gets_the_figures_that_the_evaluation_gives_it(
    built_shop: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    report = measure(built_shop)
    evaluation = json.loads((built_shop.work.reports / "evaluation.json").read_text())["variants"]
    for variant in ("loo", "hide30"):
        found = report["variants"][variant]
        assert found["fingerprint"] == evaluation[variant]["fingerprint"]
        assert found["arms"][MODEL]["hit_rate"] == evaluation[variant]["arms"][MODEL]["hit_rate"]
        pair = found["paired"][ANCHOR]["hit_rate"]
        ours, theirs = (found["arms"][arm]["hit_rate"]["value"] for arm in (MODEL, ANCHOR))
        assert pair["difference"] == pytest.approx(ours - theirs, abs=2e-5)
        assert 0 < theirs < 1
        Console(width=110).print(table_of(report, variant))
    assert "relative" in capsys.readouterr().out
    assert report["anchor"]["columns"] == list(columns_of(PLAIN))
    assert json.loads((built_shop.work.reports / "anchor.json").read_text())["model_version"] == report["model_version"]
