"""The stage on the corner shop: what it leaves behind, and how further arms take part."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from configs import Settings, SilentProgress, TillwiseError
from configs.errors import ConfigError
from features.context import Context, ProductMatrix
from features.definitions import COLUMNS
from features.history import History, load_history
from features.shopper import ShopperState
from pipelines.evaluation_table import evaluation_table
from training.candidates import GENERATORS, eligible
from training.card import model_card
from training.evaluation.arms import Arm, arms_of
from training.evaluation.log import log_evaluation
from training.evaluation.metrics import Hidden
from training.evaluation.plots import draw_all
from training.evaluation.ranking import Work, rank_all
from training.evaluation.stage import evaluate
from training.package import ModelPackage
from training.protocol import Case
from training.recommender import ARMS, Ranked

QUIET = SilentProgress()


@pytest.fixture(scope="module")
def report(built_shop: Settings) -> dict[str, Any]:
    """The corner shop's evaluation."""
    content: dict[str, Any] = json.loads((built_shop.work.reports / "evaluation.json").read_text())
    return content


class Newest:
    """A baseline that ranks by row number, the highest first, and remembers what it was fitted with."""

    def fit(self, history: History, matrix: ProductMatrix, as_of: int) -> Newest:
        self.seen = (len(history), as_of)
        self.matrix = matrix
        return self

    def rank(self, context: Context, k: int) -> Ranked:
        rows = np.arange(len(self.matrix.catalogue), dtype=np.int32)[::-1]
        best = rows[eligible(context, rows)][:k]
        return best, best.astype(np.float64)


def test_every_arm_has_every_metric_with_its_interval_around_it(report: dict[str, Any]) -> None:
    for result in report["variants"].values():
        assert set(result["arms"]) == set(ARMS)
        for figures in result["arms"].values():
            assert {"hit_rate", "recall", "ndcg", "mrr", "hit_rate@5", "recall@20", "value_weighted"} <= set(figures)
            for name in set(figures) - {"coverage"}:
                low, high = figures[name]["ci95"]
                assert low <= figures[name]["value"] <= high
            assert figures["hit_rate"] == figures["hit_rate@10"]


def test_no_ranking_finds_more_than_the_candidates_hold(report: dict[str, Any]) -> None:
    for variant, result in report["variants"].items():
        found = result["candidates"]
        assert result["arms"]["model"]["recall@20"]["value"] <= found["recall"] <= 1
        assert set(found["by_generator"]) == set(GENERATORS)
        assert max(one["recall"] for one in found["by_generator"].values()) <= found["recall"]
        assert set(result["paired"]) == set(ARMS) - {"model"}
        compared = {"hit_rate", "ndcg"} | ({"recall"} if variant == "hide30" else set())
        assert all(set(metrics) == compared for metrics in result["paired"].values())


@pytest.mark.parametrize("variant", ["loo", "hide30"])
@pytest.mark.parametrize("arm", ["popularity", "frequently_bought_together"])
def test_on_another_shops_data_the_model_beats_the_simple_arms(report: dict[str, Any], variant: str, arm: str) -> None:
    for found in report["variants"][variant]["paired"][arm].values():
        low, _ = found["ci95"]
        assert low > 0, found


def test_slices_hold_all_cases(report: dict[str, Any]) -> None:
    result = report["variants"]["loo"]
    assert {"repeat", "cart_size", "history_length", "category", "segment", "channel"} <= set(result["slices"])
    for groups in result["slices"].values():
        assert sum(group["cases"] for group in groups.values()) == result["cases"]
    assert report["variants"]["hide30"]["slices"] == {}


def test_looks_at_other_models_and_windows_do_not_count_and_half_a_line_does_no_harm(tmp_path: Path) -> None:
    window = {"start": "a", "end": "b"}
    assert log_evaluation(tmp_path, {"model_version": "x", "window": window}) == 1
    assert log_evaluation(tmp_path, {"model_version": "y", "window": window}) == 1
    assert log_evaluation(tmp_path, {"model_version": "x", "window": {}}) == 1
    with (tmp_path / "evaluations.jsonl").open("a") as stream:
        stream.write('{"model_version": "x", "win\n')
    assert log_evaluation(tmp_path, {"model_version": "x", "window": window}) == 2


def test_a_baseline_of_the_settings_is_fitted_and_ranks_beside_the_others(
    built_shop: Settings, package: ModelPackage
) -> None:
    history, newest = load_history(built_shop.work.data), Newest()
    arms = arms_of(package, history, ("newest",), {"newest": newest})
    assert list(arms) == [*ARMS, "newest"]
    assert newest.seen == (len(history), package.as_of)
    cart = np.array([1, 3], dtype=np.int32)
    rows, _ = arms["newest"].rank(Context(package.matrix, ShopperState.empty(), cart, package.as_of), 5)
    assert rows.size == 5


def test_a_baseline_that_does_not_exist_is_named(built_shop: Settings, package: ModelPackage) -> None:
    with pytest.raises(ConfigError, match=r"'magic'.*TILLWISE_EVALUATION__BASELINES"):
        arms_of(package, load_history(built_shop.work.data), ("magic",), {"newest": Newest()})


@pytest.mark.parametrize("workers", [1, 3])
def test_ranking_in_processes_gives_what_each_arm_gives_case_by_case(package: ModelPackage, workers: int) -> None:
    def few(context: Context, k: int) -> Ranked:
        rows = np.array([context.cart[0] + 1, context.cart[0] + 2], dtype=np.int32)
        return rows[:k], np.array([2.0, 1.0])[:k]

    def sure(context: Context, ranked: Ranked) -> np.ndarray:
        return ranked[1] / 10

    cases = [
        Case(n, package.as_of, np.array([n % 7], dtype=np.int32), np.array([8, 9], dtype=np.int32)) for n in range(450)
    ]
    arms = {"few": Arm(few, sure)}
    states = [ShopperState.empty()] * len(cases)
    shown = rank_all(
        Work(arms, package.matrix, package.candidates, cases, states, depth=4, k=3), workers, lambda done: None
    )
    first = np.arange(450) % 7
    assert shown.lists["few"].rows.tolist() == [[row + 1, row + 2, -1, -1] for row in first]
    assert np.array_equal(shown.probability["few"], np.tile([0.2, 0.1, np.nan], (450, 1)), equal_nan=True)
    assert shown.found.hidden.shape == (Hidden.of(cases).product.size, 1 + len(GENERATORS))
    assert (shown.found.hidden[:, 0] == shown.found.hidden[:, 1:].any(axis=1)).all()


def test_plots_are_written_whole_and_only_where_there_is_something_to_draw(
    built_shop: Settings, report: dict[str, Any], tmp_path: Path
) -> None:
    names = {path.name for path in (built_shop.work.reports / "plots").iterdir()}
    always = {
        "hit_rate_by_arm.png",
        "model_by_slice.png",
        "paired_differences.png",
        "candidate_recall.png",
        "audit.png",
    }
    assert names == always | {"reliability.png"}
    loo = report["variants"]["loo"] | {"calibration": {}}
    drawn = draw_all(report | {"variants": report["variants"] | {"loo": loo}}, tmp_path / "plots")
    assert set(drawn) == always
    assert all((tmp_path / "plots" / name).read_bytes().startswith(b"\x89PNG") for name in drawn)


def test_the_card_tells_the_versions_the_figures_and_every_feature(
    built_shop: Settings, package: ModelPackage, report: dict[str, Any]
) -> None:
    card = (built_shop.work.reports / "model_card.md").read_text()
    assert card.startswith(f"# Model {package.version}\n")
    hit_rate = report["variants"]["loo"]["arms"]["model"]["hit_rate"]
    assert f"| hit rate | {hit_rate['value']:.3f} [{hit_rate['ci95'][0]:.3f}, {hit_rate['ci95'][1]:.3f}]" in card
    assert [column for column in COLUMNS if f"| `{column}` |" not in card] == []
    for table in re.findall(r"(?:^\|.*\n)+", card, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1


def test_the_card_calls_scores_probabilities_only_when_they_were_checked(
    built_shop: Settings, report: dict[str, Any]
) -> None:
    manifest = json.loads((built_shop.work.model / "manifest.json").read_text())
    checked = {"model": {"pairs": 1_000, "ece": 0.0123, "curve": []}}
    loo = report["variants"]["loo"] | {"calibration": checked}
    honest = model_card(report | {"variants": report["variants"] | {"loo": loo}}, manifest, built_shop)
    assert "1,000 products shown are off by 0.0123" in honest
    assert "no probabilities" not in honest
    unchecked = report["variants"]["loo"] | {"calibration": {}}
    silent = model_card(report | {"variants": report["variants"] | {"loo": unchecked}}, manifest, built_shop)
    assert "no probabilities" in silent


def test_the_table_fits_a_terminal_of_eighty_characters(report: dict[str, Any]) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(evaluation_table(report))
    text = console.export_text()
    assert "…" not in text
    figures = report["variants"]["loo"]
    assert f"{figures['arms']['model']['hit_rate']['value']:.3f}".removeprefix("0") in text
    assert f"{figures['paired']['popularity']['hit_rate']['difference']:+.3f}".replace("+0", "+") in text


@pytest.fixture
def copy(built_shop: Settings, tmp_path: Path) -> Path:
    """A work folder with a model that was never evaluated."""
    for part in ("data", "features", "model"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    return tmp_path


@pytest.mark.parametrize(
    ("section", "change", "says"),
    [
        ("evaluation", {"baselines": ["magic"]}, "'magic'"),
        ("windows", {"min_basket_products": 99}, "holds 99 products"),
    ],
)
def test_settings_that_leave_nothing_to_compare_are_refused_in_a_sentence(
    built_shop: Settings, copy: Path, section: str, change: dict[str, Any], says: str
) -> None:
    whole = built_shop.model_dump() | {"home": copy}
    with pytest.raises(TillwiseError, match=says):
        evaluate(Settings(**(whole | {section: whole[section] | change})), QUIET)
    assert not (copy / "reports").exists()


def test_each_look_at_the_test_window_is_counted(built_shop: Settings, copy: Path) -> None:
    settings = Settings(**(built_shop.model_dump() | {"home": copy}))
    counts = []
    for _ in range(2):
        evaluate(settings, QUIET)
        counts.append(json.loads((copy / "reports" / "evaluation.json").read_text())["evaluated"])
    assert counts == [1, 2]
    lines = [json.loads(line) for line in (copy / "reports" / "evaluations.jsonl").read_text().splitlines()]
    assert [line["made_by"] for line in lines] == ["tillwise evaluate"] * 2
    assert lines[0]["window"] == lines[1]["window"]
