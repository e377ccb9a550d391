"""The head benchmark judges and times every head and leaves its report. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.heads import BEFORE, BLEND, CASCADE, WAYS, measure, print_table
from benchmarks.rankers import FLOOR
from configs import Settings
from configs.errors import ConfigError


def test_every_head_is_judged_and_timed_and_reported(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    found = measure(Settings(**(built_shop.model_dump() | {"home": tmp_path})), 40, 10)
    print_table(found)
    printed = capsys.readouterr().out
    assert "student_int8" in printed
    assert f"{CASCADE} (chosen)" in printed
    assert list(found.times) == [FLOOR, BEFORE, *WAYS]
    assert all(times.shape == (10,) and (times > 0).all() for times in found.times.values())
    report = json.loads((tmp_path / "reports" / "heads.json").read_text())
    assert report["cases"] == 40
    assert set(report["heads"]) == set(WAYS)
    for head, quality in found.quality.items():
        for metric, mean in quality.mean.items():
            lead = mean.value - found.quality[BLEND].mean[metric].value
            assert quality.difference[metric].value == pytest.approx(lead, abs=1e-12)
            assert report["heads"][head][f"{metric}_less_blend"]["value"] == pytest.approx(lead, abs=1e-5)
    assert (
        found.size["student_int8"]
        < found.size["student"]
        < found.size["neural"]
        < found.size[BLEND]
        < found.size[CASCADE]
    )
    assert np.isfinite(found.quality[BLEND].calibration_error)


@pytest.mark.parametrize("given", [(0, 5), (5, 0)])
def test_no_cases_are_refused(built_shop: Settings, given: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1 of each"):
        measure(built_shop, *given)
