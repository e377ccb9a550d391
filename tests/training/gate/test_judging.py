"""The whole gate on the corner shop: the same baskets, the same code as the evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs import Settings, load_settings
from configs.errors import StageError
from configs.home import read_json
from features.history import load_history
from features.windows import cut_windows
from tests.support.gate import COST, good_trial
from tests.support.packages import another, damaged, version_in
from training.gate import Candidate, Incumbent, Verdict, judge
from training.gate.cost import cost_of, in_memory, in_time, recorded_requests
from training.gate.fresh import FreshCases, found_by, fresh_cases
from training.package import ModelPackage

ALL = [
    *("schema", "package", "self-test", "standing", "simpler arms", "champion", "guardrail groups"),
    *("prices", "latency", "memory", "audit", "trial"),
]


@pytest.fixture(scope="module")
def fresh(built_shop: Settings, package: ModelPackage) -> FreshCases:
    found = fresh_cases(built_shop, [package.as_of])
    assert isinstance(found, FreshCases)
    return found


def candidate(settings: Settings, folder: Path) -> Candidate:
    audit = {"audit": {"passed": True, "findings": [], "groups": {}}}
    evaluation = read_json(settings.work.reports / "evaluation.json") | audit
    return Candidate("2", folder, evaluation, good_trial(version_in(folder)))


def quiet(doing: str, done: float) -> None:
    assert doing
    assert 0.0 <= done <= 1.0


def judged(settings: Settings, folder: Path, champion: Path | None) -> Verdict:
    return judge(settings, candidate(settings, folder), None if champion is None else Incumbent("1", champion), quiet)


def test_the_gate_finds_what_the_evaluation_found(
    built_shop: Settings, package: ModelPackage, fresh: FreshCases
) -> None:
    k = built_shop.evaluation.k
    found = found_by(package, fresh, k, 1, lambda _: None)
    told = read_json(built_shop.work.reports / "evaluation.json")["variants"]["loo"]
    assert len(fresh.cases) == told["cases"]
    for metric in ("hit_rate", "ndcg", "mrr"):
        assert found[metric].mean() == pytest.approx(told["arms"]["model"][metric]["value"], abs=1e-5)


def test_a_package_with_another_order_of_products_finds_the_same(
    built_shop: Settings, package: ModelPackage, fresh: FreshCases
) -> None:
    """The data know another catalogue than the package: its rows turned round, and one product more."""
    catalogue = fresh.history.catalogue
    size, more = len(catalogue), len(catalogue) + 1
    turned = replace(catalogue, ids=[*catalogue.ids[::-1], "new"])
    few = fresh.cases[:100]
    cases = [
        replace(case, cart=np.sort([*(size - 1 - case.cart), size]).astype(np.int32), hidden=size - 1 - case.hidden)
        for case in few
    ]
    history = replace(fresh.history, catalogue=turned)
    ours = replace(fresh, cases=few)
    theirs = replace(fresh, history=history, cases=cases)
    assert more == len(turned.ids)
    same = [found_by(package, one, 10, 1, lambda _: None)["ndcg"] for one in (ours, theirs)]
    np.testing.assert_array_equal(*same)


def test_days_that_one_of_the_models_has_seen_are_left_out(
    built_shop: Settings, package: ModelPackage, fresh: FreshCases
) -> None:
    later = package.as_of + 7 * 86_400
    fewer = fresh_cases(built_shop, [package.as_of, later])
    assert isinstance(fewer, FreshCases)
    assert min(case.at for case in fewer.cases) >= later
    assert 0 < len(fewer.cases) < len(fresh.cases)


@pytest.mark.usefixtures("unmeasured")
def test_without_a_champion_the_comparison_passes_and_says_so(built_shop: Settings) -> None:
    verdict = judged(built_shop, built_shop.work.model, None)
    assert [check.name for check in verdict.checks] == ALL
    assert verdict.passed
    said = {check.name: check.says for check in verdict.checks}
    assert "nothing is champion yet" in said["champion"]


@pytest.mark.usefixtures("unmeasured")
def test_a_model_that_only_shows_what_is_new_is_refused_with_figures(
    built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    worse = another(package, tmp_path / "worse", discovery=50.0)
    verdict = judged(built_shop, worse, built_shop.work.model)
    refused = {check.name: check for check in verdict.objections}
    assert "champion" in refused
    figures = refused["champion"].figures
    assert figures["candidate"] < figures["champion"]
    assert verdict.champion == "1"
    assert judged(built_shop, built_shop.work.model, worse).passed


@pytest.mark.usefixtures("unmeasured")
def test_the_champions_own_package_and_a_champion_that_cannot_serve_need_no_comparison(
    built_shop: Settings, tmp_path: Path
) -> None:
    again = judged(built_shop, built_shop.work.model, built_shop.work.model)
    assert again.passed
    assert "the very package" in again.checks[5].says
    broken = judged(built_shop, built_shop.work.model, damaged(built_shop.work.model, tmp_path / "broken"))
    assert broken.passed
    assert "cannot serve here any more" in broken.checks[5].says


@pytest.mark.usefixtures("unmeasured")
def test_without_fresh_baskets_nothing_is_called_better(
    built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    history = load_history(built_shop.work.data)
    end = cut_windows(history, "UTC", built_shop.windows).test.end + 86_400
    said = fresh_cases(built_shop, [package.as_of, end])
    assert isinstance(said, str)
    assert "no fresh baskets" in said
    elsewhere = built_shop.model_copy(update={"home": tmp_path})
    other = another(package, tmp_path / "other", discovery=1.0)
    folder = built_shop.work.model
    verdict = judge(elsewhere, candidate(built_shop, other), Incumbent("1", folder), quiet)
    refused = {check.name: check.says for check in verdict.objections}
    assert {"champion", "guardrail groups"} <= set(refused)
    assert "no baskets to compare on" in refused["champion"]


@pytest.mark.usefixtures("unmeasured")
def test_a_damaged_package_is_told_and_nothing_else_is_looked_at(built_shop: Settings, tmp_path: Path) -> None:
    folder = damaged(built_shop.work.model, tmp_path / "package")
    asked = replace(candidate(built_shop, built_shop.work.model), folder=folder)
    verdict = judge(built_shop, asked, None, quiet)
    assert [check.name for check in verdict.checks] == ALL[:2]
    assert not verdict.passed


def test_time_and_memory_are_those_of_the_package(built_shop: Settings, package: ModelPackage, tmp_path: Path) -> None:
    requests = recorded_requests(package)[:5]
    cost = cost_of(built_shop.work.model, built_shop.work.model, requests, 10, 1)
    assert 0.0 < cost.p50_ms <= cost.p99_ms
    assert cost.memory_mb > cost.size_mb > 0.0
    assert cost.beside is not None
    with pytest.raises(StageError, match=r"ended early .*No model package lies"):
        cost_of(tmp_path, None, requests, 10, 1)


def test_more_than_the_budget_is_refused_and_exactly_as_much_is_not() -> None:
    gate = load_settings().registry.gate
    within = replace(COST, p99_ms=gate.rank_p99_ms, memory_mb=gate.memory_mb)
    assert in_time(within, gate).passed
    assert in_memory(within, gate).passed
    above = replace(COST, p99_ms=gate.rank_p99_ms + 0.1, memory_mb=gate.memory_mb + 1)
    assert "above the budget" in in_time(above, gate).says
    assert "above the budget" in in_memory(above, gate).says
