"""Every notebook runs from top to bottom on a small data set, and what it says of the data is true."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from configs import Settings
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from tests.support.shop import SMALL
from training.dataset import side_with_encoder
from training.evaluation.draws import held_back_draws
from training.package import ModelPackage
from training.recommender import Recommender

FOLDER = Path(__file__).parents[2] / "notebooks"
NOTEBOOKS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))
PICTURES = {
    "explore_baskets": {
        "basket_size",
        "bought_together",
        "cold_products",
        "concentration",
        "price_and_discount",
        "repeat_share",
        "repurchase_hazard",
        "time_of_week",
    },
    "idea_to_measured_worth": {"idea", "worth"},
    "read_the_models": {
        "ablation",
        "calibration",
        "gain",
        "item_map",
        "one_recommendation",
        "shap_summary",
        "why_missed",
    },
}
BASKETS = 60

Findings = Callable[[str], dict[str, Any]]


def small_environment(home: Path) -> dict[str, str]:
    """Return the corner shop's settings as variables, and sizes that fit a test's patience."""
    sizes = {"NOTEBOOK_BASKETS": str(BASKETS), "NOTEBOOK_SEEDS": "2", "MPLBACKEND": "Agg", "TILLWISE_HOME": str(home)}
    for section in ("windows", "training", "encoder", "neural", "evaluation"):
        sizes |= {f"TILLWISE_{section}__{key}".upper(): str(value) for key, value in SMALL[section].items()}
    return sizes


@pytest.fixture(scope="module")
def findings(built_shop: Settings) -> Findings:
    """What a notebook found on the corner shop; it runs once, when it is first asked for."""

    @cache
    def run(name: str) -> dict[str, Any]:
        done = subprocess.run(
            [sys.executable, "-W", "error", FOLDER / f"{name}.py"],
            env=os.environ | small_environment(built_shop.work.root),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads((folder_of(built_shop, name) / "findings.json").read_text())
        assert all(" ".join(sentence.split()) in " ".join(done.stdout.split()) for sentence in found["says"])
        return found

    return run


def folder_of(settings: Settings, name: str) -> Path:
    return settings.work.reports / "notebooks" / name


@pytest.fixture(scope="module")
def lines(built_shop: Settings) -> pd.DataFrame:
    """The corner shop's order lines with when and whose, oldest first."""
    data = built_shop.work.data
    orders = pd.read_parquet(data / "orders.parquet").sort_values(["placed_at", "order_id"])
    return orders.merge(pd.read_parquet(data / "order_lines.parquet"), on="order_id")


def test_the_notebooks_are_those_whose_pictures_are_known() -> None:
    assert set(PICTURES) == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_runs_as_a_program_and_draws_its_pictures(name: str, findings: Findings, built_shop: Settings) -> None:
    assert findings(name)["made_by"] == f"python notebooks/{name}.py"
    pictures = {path.stem: path for path in folder_of(built_shop, name).glob("*.png")}
    assert set(pictures) == PICTURES[name]
    for path in pictures.values():
        image = matplotlib.image.imread(path)[:, :, :3]
        assert min(image.shape[:2]) > 400
        inked = (image < 0.95).any(axis=2)
        assert inked.any(axis=0).mean() > 0.5, f"{path.name} is mostly empty"
        assert np.unique(image[inked].round(2), axis=0).shape[0] > 20


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_opens_in_jupyter_as_cells_that_begin_with_words(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    assert text.startswith("# %% [markdown]\n# # ")
    assert text.count("\n# %%\n") >= 5


def test_sizes_repeats_and_weekends_are_those_of_the_tables(
    findings: Findings, lines: pd.DataFrame, built_shop: Settings
) -> None:
    found = findings("explore_baskets")
    sizes = lines.groupby("order_id").size()
    assert found["baskets"] == len(sizes)
    assert (found["median_size"], found["mean_size"]) == (sizes.median(), pytest.approx(sizes.mean()))
    assert found["repeat_share"] == pytest.approx(lines.duplicated(["shopper_id", "product_id"]).mean())
    zone = ingest_record(built_shop.work.data)["timezone"]
    placed = lines.drop_duplicates("order_id")["placed_at"].dt.tz_convert(zone)
    assert found["weekend_share"] == pytest.approx((placed.dt.dayofweek >= 5).mean())
    assert found["discount_share"] == pytest.approx((lines["discount"] > 0).mean())


def test_half_of_all_lines_are_of_so_few_products(findings: Findings, lines: pd.DataFrame) -> None:
    found, counts = findings("explore_baskets"), lines["product_id"].value_counts()
    few = found["products_for_half"]
    assert counts.iloc[: few - 1].sum() < len(lines) / 2 <= counts.iloc[:few].sum()
    assert found["products_sold"] == len(counts)


def test_the_strongest_pair_is_that_of_counting_every_pair(
    findings: Findings, lines: pd.DataFrame, built_shop: Settings
) -> None:
    found = findings("explore_baskets")
    category = pd.read_parquet(built_shop.work.data / "products.parquet").set_index("product_id")["category"]
    baskets = [set(products) for _, products in lines.groupby("order_id")["product_id"]]
    pairs = pd.Series([pair for basket in baskets for pair in combinations(sorted(basket), 2)]).value_counts()
    count = lines["product_id"].value_counts()
    lifts = {
        pair: both * len(baskets) / (count[pair[0]] * count[pair[1]])
        for pair, both in pairs[pairs >= found["top_pair_baskets"]].items()
        if category[pair[0]] != category[pair[1]]
    }
    best = max(lifts, key=lifts.__getitem__)
    assert sorted(found["top_pair"]) == list(best)
    assert found["top_lift"] == pytest.approx(lifts[best], rel=1e-4)
    assert found["top_pair_baskets"] == pairs[best]


def test_the_ranking_that_is_read_is_the_one_that_is_served(findings: Findings, built_shop: Settings) -> None:
    found, past = findings("read_the_models"), load_history(built_shop.work.data)
    fold = cut_windows(past, ingest_record(built_shop.work.data)["timezone"], built_shop.windows).folds[-1]
    store, recommender = open_store(built_shop), Recommender(ModelPackage.load(built_shop.work.model))
    matrix = side_with_encoder(built_shop, store, past, fold.start)
    draws = held_back_draws(built_shop, store, past, fold, matrix, limit=BASKETS)
    for arm, name in {"gbm": "trees", "neural": "network", "model": "blended"}.items():
        lists = [recommender.rank(context, found["k"], arm)[0].tolist() for context in draws.contexts]
        places = [
            shown.index(hidden) for shown, hidden in zip(lists, draws.hidden.tolist(), strict=True) if hidden in shown
        ]
        assert found["quality"][name]["hit_rate"] == pytest.approx(len(places) / len(draws))
        assert found["quality"][name]["ndcg"] == pytest.approx(sum(1 / np.log2(p + 2) for p in places) / len(draws))


def test_every_hidden_product_has_one_outcome_and_the_hits_agree(findings: Findings) -> None:
    found = findings("read_the_models")
    for outcome in found["outcome"].values():
        assert sum(outcome.values()) == pytest.approx(1.0)
    assert found["outcome"]["all"][f"in the list of {found['k']}"] == pytest.approx(
        found["quality"]["blended"]["hit_rate"]
    )


def test_contributions_add_up_to_the_score_they_explain(findings: Findings) -> None:
    found = findings("read_the_models")
    assert sum(found["example_contributions"].values()) == pytest.approx(found["example_score_above_mean"], abs=1e-4)
    assert sum(found["gain_by_group"].values()) == pytest.approx(1.0, abs=0.01)


def test_some_group_of_features_is_missed_by_each_ranker(findings: Findings) -> None:
    for groups in findings("read_the_models")["ablation"].values():
        assert min(group["ndcg"]["high"] for group in groups.values()) < 0


def test_the_verdict_on_an_idea_is_what_its_intervals_say(findings: Findings) -> None:
    found = findings("idea_to_measured_worth")
    against = found["differences"]
    alone, beyond = (against[f"idea, against the {other}"]["ndcg"] for other in ("ranker as it is", "placebo"))
    assert found["verdict"].startswith("Worth it") == (alone["low"] > 0 and beyond["low"] > 0)
    assert found["verdict"].startswith("Not worth it") == (alone["high"] < 0)
    assert 0 < found["base"] < 1
    assert BASKETS // 2 <= found["draws"] <= BASKETS


def test_differences_between_arms_are_paired_on_the_same_draws(findings: Findings) -> None:
    against = findings("idea_to_measured_worth")["differences"]
    for metric in ("ndcg", "hit_rate"):
        idea, beyond, placebo = (
            against[name][metric]
            for name in (
                "idea, against the ranker as it is",
                "idea, against the placebo",
                "placebo, against the ranker as it is",
            )
        )
        assert idea["value"] == pytest.approx(beyond["value"] + placebo["value"])
        assert all(one["low"] <= one["value"] <= one["high"] and 0 < one["p"] <= 1 for one in (idea, beyond, placebo))
