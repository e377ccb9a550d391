"""The rules benchmark times each kind of rules and judges each lambda. Its times are nobody's test."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.rules import EVERYTHING, FLOOR, LAMBDAS, METRICS, measure, print_tables
from configs import Settings
from configs.errors import ConfigError


def test_every_kind_of_rules_is_timed_and_every_lambda_judged(
    built_shop: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    found = measure(Settings(**(built_shop.model_dump() | {"home": tmp_path})), 40, 10)
    print_tables(found)
    assert EVERYTHING in capsys.readouterr().out
    assert next(iter(found.times)) == FLOOR
    assert all(times.shape == (10,) and (times > 0).all() for times in found.times.values())
    report = json.loads((tmp_path / "reports" / "rules.json").read_text())
    assert set(report["microseconds"]) == set(found.times)
    for weight in LAMBDAS:
        for metric in METRICS:
            lead = found.quality[weight][metric].value - found.quality[1.0][metric].value
            assert found.difference[weight][metric].value == pytest.approx(lead, abs=1e-9)
            assert report["lambda"][str(weight)][f"{metric}_less_plain"]["value"] == pytest.approx(lead, abs=1e-5)
    likeness = [found.quality[weight]["likeness"].value for weight in LAMBDAS]
    assert likeness[-1] < likeness[0]


@pytest.mark.parametrize("given", [(0, 5), (5, 0)])
def test_no_cases_are_refused(built_shop: Settings, given: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="at least 1 of each"):
        measure(built_shop, *given)
