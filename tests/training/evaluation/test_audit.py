"""The bias audit: who falls short, who is too few to tell, and that no model knows what only the audit may."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from configs import Settings, load_settings
from configs.dataset import load_dataset
from configs.errors import ConfigError
from configs.home import read_json
from configs.settings import AuditSettings
from features.data.contract import columns_of
from features.definitions import COLUMNS
from features.history import load_history
from pipelines.audit_table import audit_table
from training.evaluation.audit import Audited, audit
from training.evaluation.audit.groups import (
    NEW,
    OLD,
    UNSOLD,
    Grouping,
    demographic_groups,
    novelty_groups,
    price_groups,
)
from training.evaluation.audit.measures import Served, measures
from training.evaluation.audit.verdict import finding, judged, judgements_of
from training.evaluation.metrics import Hidden
from training.evaluation.significance import ShopperBootstrap
from training.package import ModelPackage

ROOT = Path(__file__).resolve().parents[3]
POLICY = load_settings().evaluation.audit
K, CATALOGUE = 5, 40


def served(hit: np.ndarray, shopper: np.ndarray, *, seed: int = 1) -> Served:
    """Return lists of five in which the hidden product, number 0, stands first or not at all."""
    generator = np.random.default_rng(seed)
    rows = np.stack([1 + generator.permutation(CATALOGUE - 1)[:K] for _ in hit]).astype(np.int32)
    rows[hit, 0] = 0
    cases = np.arange(hit.size, dtype=np.int32)
    hidden = Hidden(cases, np.zeros(hit.size, dtype=np.int32), np.ones(hit.size, dtype=np.int64))
    return Served(rows, hidden, shopper.astype(np.int32), ShopperBootstrap(shopper.astype(np.int32), 200, 3))


def people(code: np.ndarray, labels: tuple[str, ...] = ("a", "b", "c")) -> Grouping:
    return Grouping("kind", "shoppers", labels, code.astype(np.int64))


def findings_of(one: Served, grouping: Grouping, policy: AuditSettings = POLICY) -> list[str]:
    """Return what the verdict says of one grouping."""
    counts = [int(np.unique(one.shopper[grouping.case == row]).size) for row in range(len(grouping.labels))]
    tests = [test for measure in measures(one, grouping) for test in judgements_of(policy, grouping, measure, counts)]
    return [finding(test, grouping.of) for test in judged(tests, policy.alpha) if test.short]


def test_shoppers_who_are_found_a_product_half_as_often_fall_short_and_are_named() -> None:
    generator = np.random.default_rng(2)
    shopper = np.arange(900) // 3
    code = shopper % 3
    found = findings_of(served(generator.random(900) < np.where(code == 2, 0.2, 0.45), shopper), people(code))
    assert [sentence.partition(" get ")[0] for sentence in found] == ["shoppers with kind 'c'"] * 2
    assert "at least 0.80 is demanded" in found[0]


def test_a_gap_within_the_limit_is_no_finding_however_sure_it_is() -> None:
    shopper = np.arange(30_000) // 3
    code = shopper % 3
    hit = np.random.default_rng(3).random(30_000) < np.where(code == 2, 0.40, 0.45)
    assert findings_of(served(hit, shopper), people(code)) == []


def test_a_few_shoppers_who_are_found_nothing_are_told_and_not_judged() -> None:
    shopper = np.arange(600) // 3
    code = np.where(shopper < 5, 2, shopper % 2)
    hit = (np.random.default_rng(4).random(600) < 0.45) & (code != 2)
    assert findings_of(served(hit, shopper), people(code)) == []


def test_no_hit_among_few_expected_ones_is_not_taken_for_certainty() -> None:
    shopper = np.arange(2_040)  # one case each: a group of 40 of whom 2 hits are expected
    code = np.where(shopper < 40, 2, shopper % 2)
    hit = (np.random.default_rng(5).random(shopper.size) < 0.05) & (code != 2)
    assert findings_of(served(hit, shopper), people(code)) == []


def test_a_model_that_treats_all_alike_fails_no_more_often_than_alpha_says() -> None:
    generator = np.random.default_rng(6)
    shopper = np.arange(1_200) // 4
    failed = 0
    for _ in range(20):
        habits = generator.beta(1, 3, 300)[shopper]  # shoppers differ, so that their own cases are alike
        code = generator.integers(0, 6, 300)[shopper]
        hit = generator.random(1_200) < habits
        failed += bool(findings_of(served(hit, shopper), people(code, tuple("abcdef"))))
    assert failed <= 1  # one in 20 is what alpha allows


def test_the_figures_are_those_of_counting() -> None:
    generator = np.random.default_rng(7)
    shopper = np.arange(120) // 2
    code = shopper % 3 - 1  # the first kind is not known
    one = served(generator.random(120) < 0.4, shopper)
    quality = next(iter(measures(one, people(code, ("a", "b")))))
    hits = [0 in row for row in one.rows.tolist()]
    for row in (0, 1):
        mine = [hit for hit, of in zip(hits, code, strict=True) if of == row]
        assert quality.value[row] == pytest.approx(sum(mine) / len(mine))
    known = [hit for hit, of in zip(hits, code, strict=True) if of >= 0]
    assert quality.reference.tolist() == pytest.approx([sum(known) / len(known)] * 2)


def test_the_exposure_of_products_is_their_share_of_places_over_their_share_of_what_is_taken() -> None:
    generator = np.random.default_rng(8)
    one = served(generator.random(90) < 0.5, np.arange(90) // 3)
    product = np.where(np.arange(CATALOGUE) < 1, 0, 1)
    grouping = Grouping("size", "products", ("zero", "others"), product[one.hidden.product], product)
    *_, exposure = measures(one, grouping)
    places = Counter(int(product[row]) for rows in one.rows.tolist() for row in rows)
    assert exposure.value.tolist() == pytest.approx([places[0] / places.total(), places[1] / places.total()])
    assert exposure.reference.tolist() == [1.0, 0.0]  # only product 0 is ever taken


def test_products_that_are_taken_but_hardly_shown_fall_short() -> None:
    generator = np.random.default_rng(9)
    hidden = generator.integers(0, 20, 600).astype(np.int32)
    rows = np.stack([generator.permutation(20 if generator.random() < 0.1 else 10)[:K] for _ in range(600)])
    cases = Hidden(np.arange(600, dtype=np.int32), hidden, np.ones(600, dtype=np.int64))
    shopper = (np.arange(600) // 3).astype(np.int32)
    one = Served(rows.astype(np.int32), cases, shopper, ShopperBootstrap(shopper, 200, 3))
    product = (np.arange(20) >= 10).astype(np.int64)
    found = findings_of(one, Grouping("price", "products", ("cheap", "dear"), product[hidden], product))
    assert any(sentence.startswith("products with price 'dear' get 0.") and "places" in sentence for sentence in found)


def test_each_price_group_holds_as_much_of_what_is_sold_and_an_unknown_price_is_in_none() -> None:
    price = np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    sold = np.array([0, 0, 0, 0, 1, 1, 2, 3, 4], dtype=np.int32)
    hidden = np.array([4, 0, 3], dtype=np.int32)
    grouping = price_groups(price, sold, hidden, 2)
    assert grouping.labels == ("up to 1.50", "above 1.50")
    assert grouping.case.tolist() == [-1, 0, 1]
    same = price_groups(np.array([2.0, 2.0]), np.array([0, 1], dtype=np.int32), np.array([0], dtype=np.int32), 3)
    assert (same.case >= 0).all()
    nothing = price_groups(np.full(2, np.nan), np.array([0], dtype=np.int32), np.array([0], dtype=np.int32), 3)
    assert nothing.case.tolist() == [-1]


def test_a_product_is_new_by_its_first_sale_and_not_by_its_last(built_shop: Settings) -> None:
    history = load_history(built_shop.work.data)
    as_of = int(history.at[len(history) // 2])
    known = history.before(as_of)
    rows = np.arange(len(history.catalogue), dtype=np.int32)
    grouping = novelty_groups(known, rows, as_of, new_days=20)
    for row in rows.tolist():
        sales = [
            int(at) for at, product in zip(known.at[known.line_order], known.product, strict=True) if product == row
        ]
        expected = UNSOLD if not sales else NEW if as_of - min(sales) <= 20 * 86_400 else OLD
        assert grouping.labels[grouping.case[row]] == expected


def audited(built_shop: Settings, package: ModelPackage, data: Path) -> Audited:
    """Return an audit of made-up lists on the corner shop's own people and products."""
    history = load_history(built_shop.work.data)
    shopper = (np.arange(300) % len(history.shopper_ids)).astype(np.int32)
    hit = np.random.default_rng(11).random(300) < 0.5
    return Audited(served(hit, shopper), history, package.matrix, package.as_of, data)


def test_a_shop_that_tells_nothing_of_its_shoppers_is_audited_by_product_and_says_so(
    built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    report = audit(audited(built_shop, package, tmp_path), POLICY)
    assert set(report["groups"]) == {"price", "novelty"}
    assert any("tells nothing of its shoppers" in note for note in report["notes"])


def test_the_policy_chooses_columns_and_one_that_does_not_exist_is_named(
    built_shop: Settings, package: ModelPackage
) -> None:
    one = audited(built_shop, package, built_shop.work.data)
    chosen = audit(one, POLICY.model_copy(update={"demographics": ("household",)}))
    assert set(chosen["groups"]) == {"household", "price", "novelty"}
    with pytest.raises(ConfigError, match=r"'income', but of shoppers the data set tells age_group, household"):
        audit(one, POLICY.model_copy(update={"demographics": ("income",)}))


def test_whoever_has_no_row_or_an_empty_one_belongs_to_no_group(built_shop: Settings, tmp_path: Path) -> None:
    history = load_history(built_shop.work.data)
    first, second, *_ = history.shopper_ids
    pq.write_table(pa.table({"shopper_id": [second, first], "age": [None, "65+"]}), tmp_path / "shoppers.parquet")
    (grouping,) = demographic_groups(tmp_path, None, history, np.array([0, 1, 2], dtype=np.int32))
    assert (grouping.labels, grouping.case.tolist()) == (("65+",), [0, -1, -1])


@pytest.fixture(scope="module")
def report(built_shop: Settings) -> dict[str, Any]:
    """The corner shop's evaluation."""
    content: dict[str, Any] = read_json(built_shop.work.reports / "evaluation.json")
    return content


def test_the_evaluation_holds_the_audit_and_the_card_tells_it(built_shop: Settings, report: dict[str, Any]) -> None:
    found = report["audit"]
    assert set(found["groups"]) == {"age_group", "household", "price", "novelty"}
    assert found["passed"] == (found["findings"] == [])
    for grouping in found["groups"].values():
        assert (
            sum(group["cases"] for group in grouping["by_group"].values()) + grouping["unknown"]
            == (report["variants"]["loo"]["cases"])
        )
    overall = found["groups"]["age_group"]["by_group"]["65+"]["hit_rate"]["reference"]
    assert overall == report["variants"]["loo"]["arms"]["model"]["hit_rate"]["value"]
    card = (built_shop.work.reports / "model_card.md").read_text()
    assert "## Who is served how well, and what is shown" in card
    assert "| shoppers: age group | cases |" in card


def test_the_audit_fits_a_terminal_of_eighty_characters(report: dict[str, Any]) -> None:
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(audit_table(report["audit"]))
    text = console.export_text()
    assert "…" not in text
    assert "shoppers by age group" in text
    assert "Bias audit passed" in text


def test_what_is_known_of_shoppers_is_read_by_the_audit_alone() -> None:
    folders = ("features", "training", "serving", "events", "monitoring", "pipelines", "benchmarks", "notebooks")
    reading = [
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if "shoppers.parquet" in path.read_text(encoding="utf-8")
    ]
    assert reading == ["training/evaluation/audit/groups.py"]


@pytest.mark.parametrize("dataset", ["complete_journey", str(ROOT / "tests/datasets/corner_shop.yaml")])
def test_no_column_of_a_feature_is_one_of_a_shoppers_table(dataset: str) -> None:
    shoppers = load_dataset(load_settings(dataset=dataset)).tables.mapped()["shoppers"]
    known = {column.name for column in columns_of("shoppers", shoppers.columns)} - {"shopper_id"}
    assert known
    assert known & set(COLUMNS) == set()
