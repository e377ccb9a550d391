"""What the benchmark of feedback says of the corner shop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.feedback import CORRECTED, CURVE, NOTHING, TRUE, UNCORRECTED, Requests, measure, ndcg_at_10, print_table
from configs import Settings
from configs.errors import ConfigError


def test_every_way_to_learn_is_measured_and_written(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    quick = built_shop.training.model_copy(update={"trees": 8, "negatives_share": 0.9, "max_baskets": 400})
    settings = Settings(**built_shop.model_copy(update={"home": tmp_path, "training": quick}).model_dump())
    print_table(measure(settings, 600))
    printed = capsys.readouterr().out
    report = json.loads((tmp_path / "reports" / "feedback.json").read_text())
    assert set(report["ndcg@10"]) == {NOTHING, UNCORRECTED, CORRECTED, TRUE}
    assert report["shoppers"] == "simulated"
    for mean in report["ndcg@10"].values():
        assert 0 < mean["low"] <= mean["value"] <= mean["high"] <= 1
        assert f"{mean['value']:.4f}" in printed
    assert [*report["curve_error_by_answers"]] == ["200", "500", "600"]
    assert len(report["estimated_curve"]) == CURVE.size


def test_ndcg_is_1_for_the_order_of_what_is_wanted_and_less_for_any_other() -> None:
    wanted = np.array([0.5, 0.1, 0.9, 0.2, 0.4])
    requests = Requests(np.zeros((5, 1), dtype=np.float32), np.array([3, 2]), wanted)
    assert ndcg_at_10(requests, wanted).tolist() == [1.0, 1.0]
    backwards = (0.1 + 0.5 / np.log2(3) + 0.9 / 2) / (0.9 + 0.5 / np.log2(3) + 0.1 / 2)
    assert ndcg_at_10(requests, -wanted)[0] == pytest.approx(backwards)


def test_too_few_answers_are_refused(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="at least 200"):
        measure(built_shop, 10)
