"""The estimators on the public Open Bandit data: one log tells of the other policy what that policy's own log does."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from scipy.stats import chisquare

from benchmarks.off_policy import BTS, CAMPAIGNS, PLACES, RANDOM, agreeing, chances_of, measure, print_table, read_log
from configs import load_settings
from configs.errors import ConfigError
from monitoring.experiments.off_policy import ESTIMATORS


def test_each_policys_click_rate_is_told_from_the_other_ones_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = measure(load_settings(home=tmp_path, monitoring={"bootstrap_samples": 200}))
    print_table(found)
    assert "Click rates" in capsys.readouterr().out
    assert {(one.campaign, one.policy) for one in found} == {
        (name, which) for name in CAMPAIGNS for which in (BTS, RANDOM)
    }
    for one in found:
        assert agreeing(one) == list(ESTIMATORS), (one.campaign, one.policy)
    for one in found:  # of men and women random is told from few impressions of BTS, and less exactly
        if one.policy == BTS or one.campaign == "all":
            for name in ("ips", "snips", "dr"):
                assert one.told.value[name].low <= one.own.value <= one.told.value[name].high, (one.campaign, name)
    report = json.loads((tmp_path / "reports" / "off_policy.json").read_text())
    assert [one["own"]["value"] for one in report["policies"]] == [one.own.value for one in found]


def test_the_chances_of_the_random_policy_are_those_that_were_logged() -> None:
    log = read_log(RANDOM, "all")
    chances = chances_of(log, 80)
    assert chances.sum(axis=0) == pytest.approx(1.0)
    assert log.propensity == pytest.approx(1 / 80)
    for place in range(PLACES):
        shown = int((log.place == place).sum())
        assert chisquare(chances[:, place] * shown).pvalue > 0.001


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.off_policy.find_spec", lambda name: None)
    assert importlib.util.find_spec("obp") is not None
    with pytest.raises(ConfigError, match="make install"):
        read_log(BTS, "all")
