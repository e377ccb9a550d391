"""Recommendations for files of cases: they know nothing later than the case, and bad files are told in a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs import Settings, SilentProgress
from configs.errors import ConfigError, DataError, NotBuiltError, PackageError
from configs.home import read_json
from features.history import History, load_history
from features.shopper import ShopperState, fold
from tests.features.histories import DAY
from tests.support.shop import shop_settings
from training.batch import rank_cases, recommend, recommend_cases
from training.case_files import Cases, cases_of, export_cases, read_cases
from training.package import ModelPackage
from training.recommender import Recommender

SILENT = SilentProgress()


@pytest.fixture(scope="module")
def past(built_shop: Settings) -> History:
    """All orders of the corner shop, those after the model's cutoff too."""
    return load_history(built_shop.work.data)


def table(moments: list[int], **columns: Any) -> pa.Table:
    """Return a cases table: unknown shoppers with empty carts, unless said otherwise."""
    count = len(moments)
    filled = {
        "case_id": pa.array([f"c{number}" for number in range(count)]),
        "shopper_id": pa.array([None] * count, pa.string()),
        "at": pa.array(moments, pa.timestamp("s", "UTC")),
        "cart": pa.array([[]] * count, pa.list_(pa.string())),
    }
    return pa.table(filled | columns)


def by_case(ranked: pa.Table) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each case, in their order."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in ranked.to_pylist():
        found.setdefault(row.pop("case_id"), []).append(row)
    return found


def some_cases(past: History, since: int, count: int) -> Cases:
    """Return cases at the moments of real orders after `since`, one half of the basket in the cart."""
    first = len(past.before(since))
    orders = np.linspace(first, len(past) - 1, count).astype(int)
    return Cases(
        pa.array([past.order_ids[order] for order in orders]),
        [past.shopper_ids[past.shopper[order]] for order in orders],
        past.at[orders],
        [[past.catalogue.ids[row] for row in past.products_of(int(order))[::2]] for order in orders],
        [None] * count,
    )


def test_every_case_is_answered_as_a_live_request_with_the_state_of_its_moment(
    built_shop: Settings, package: ModelPackage, past: History
) -> None:
    cases = some_cases(past, package.as_of, 40)
    recommender = Recommender(package)
    answers = by_case(rank_cases(recommender, past, cases, 7, workers=2, progress=SILENT))
    for case, order in enumerate(cases.ids.to_pylist()):
        who = past.shopper_ids.index(str(cases.shoppers[case]))
        earlier = np.flatnonzero((past.shopper == who) & (past.at < cases.at[case]))
        state = fold((past.order(int(number)) for number in earlier), built_shop.features)
        expected = recommender.recommend(cases.carts[case], state, float(cases.at[case]), 7)
        assert [(row["product_id"], row["score"], row["reason"]) for row in answers[order]] == [
            (item.product_id, item.score, item.reason) for item in expected
        ]
        assert [row["rank"] for row in answers[order]] == list(range(1, len(expected) + 1))


@given(days=st.integers(0, 13), seed=st.integers(0, 999))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_nothing_at_or_after_a_case_changes_its_recommendations(
    package: ModelPackage, past: History, days: int, seed: int
) -> None:
    moment = package.as_of + days * DAY
    who = np.random.default_rng(seed).choice(len(past.shopper_ids), 30, replace=False)
    cases = cases_of(
        table(
            [moment] * 30,
            shopper_id=pa.array([past.shopper_ids[row] for row in who]),
            cart=pa.array([past.catalogue.ids[row : row + 3] for row in who.tolist()]),
        )
    )
    recommender = Recommender(package)
    answers = [
        rank_cases(recommender, variant, cases, 5, workers=1, progress=SILENT)
        for variant in (past, past.before(moment), other_future(past, moment, seed))
    ]
    assert answers[0].equals(answers[1])
    assert answers[0].equals(answers[2])


def other_future(past: History, moment: int, seed: int) -> History:
    """Return the history with the orders from `moment` on given to other shoppers, with other products."""
    generator, known = np.random.default_rng(seed), len(past.before(moment))
    lines = int(past.start[known])
    shopper, product = past.shopper.copy(), past.product.copy()
    generator.shuffle(shopper[known:])
    product[lines:] = generator.permutation(len(past.catalogue))[product[lines:]]
    by_order = np.lexsort((product, past.line_order))
    return replace(past, shopper=shopper, product=product[by_order])


def test_an_order_at_the_very_moment_of_a_case_does_not_count(
    built_shop: Settings, package: ModelPackage, past: History
) -> None:
    order = len(past) - 1
    who, at = int(past.shopper[order]), int(past.at[order])
    cases = cases_of(table([at, at + 1], shopper_id=pa.array([past.shopper_ids[who]] * 2)))
    recommender = Recommender(package)
    answers = by_case(rank_cases(recommender, past, cases, 10, workers=1, progress=SILENT))
    before = fold(
        (past.order(int(number)) for number in np.flatnonzero((past.shopper == who) & (past.at < at))),
        built_shop.features,
    )
    expected = recommender.recommend([], before, float(at), 10)
    assert [row["score"] for row in answers["c0"]] == [item.score for item in expected]
    assert answers["c0"] != answers["c1"]


def test_shoppers_without_a_past_are_answered_as_unknown_ones(package: ModelPackage, built_shop: Settings) -> None:
    cases = table([package.as_of] * 2, shopper_id=pa.array([None, "nobody"]))
    first, second = by_case(recommend_cases(built_shop, cases, 4)).values()
    assert first == second
    expected = Recommender(package).recommend([], ShopperState.empty(), float(package.as_of), 4)
    assert [row["product_id"] for row in first] == [item.product_id for item in expected]


def test_answers_keep_the_order_and_the_kind_of_the_case_ids(package: ModelPackage, built_shop: Settings) -> None:
    ids = pa.array([907, 3, 55], pa.int32())
    ranked = recommend_cases(built_shop, table([package.as_of + 9, package.as_of, package.as_of + 4], case_id=ids), 2)
    assert ranked["case_id"].to_pylist() == [907, 907, 3, 3, 55, 55]
    assert ranked.schema.types == [pa.int32(), pa.int32(), pa.string(), pa.float64(), pa.string()]


def test_moments_without_a_zone_are_utc_and_zones_do_not_matter(package: ModelPackage) -> None:
    naive = pa.array([package.as_of, package.as_of + 1], pa.timestamp("s"))
    kinds = [pa.timestamp("ns", "America/New_York"), pa.timestamp("us"), pa.timestamp("ms", "UTC")]
    for kind in kinds:
        assert cases_of(table([0, 0], at=naive.cast(pa.timestamp(kind.unit)).view(kind))).at.tolist() == [
            package.as_of,
            package.as_of + 1,
        ]


def test_a_table_without_rows_gives_a_table_without_rows(built_shop: Settings) -> None:
    assert recommend_cases(built_shop, table([])).num_rows == 0
    nameless = {name: pa.array([]) for name in ("case_id", "shopper_id", "at", "cart")}
    assert recommend_cases(built_shop, pa.table(nameless)).num_rows == 0


def test_the_written_file_hits_as_often_as_the_evaluation_says(built_shop: Settings, tmp_path: Path) -> None:
    files = {name: str(tmp_path / f"{name}.parquet") for name in ("cases", "hidden", "out")}
    exported = export_cases(built_shop, SILENT, variant="loo", out=files["cases"], hidden=files["hidden"])
    report = recommend(built_shop, SILENT, cases=files["cases"], out=files["out"], k=10)
    hidden = {(row["case_id"], row["product_id"]) for row in pq.read_table(files["hidden"]).to_pylist()}
    ranked = pq.read_table(files["out"])
    hits = sum((row["case_id"], row["product_id"]) in hidden for row in ranked.to_pylist())
    judged = read_json(built_shop.work.reports / "evaluation.json")["variants"]["loo"]
    assert exported.wrote == {"cases": judged["cases"], "hidden products": judged["cases"]}
    assert report.wrote == {"recommendations": ranked.num_rows}
    assert hits / judged["cases"] == pytest.approx(judged["arms"]["model"]["hit_rate"]["value"], abs=5e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cases.parquet", "hidden.parquet", "out.parquet"]


def test_what_nobody_knows_is_counted(built_shop: Settings, package: ModelPackage, tmp_path: Path) -> None:
    cart = [package.products.ids[0], "no-such-thing", "nor-this"]
    pq.write_table(
        table([package.as_of], shopper_id=pa.array(["nobody"]), cart=pa.array([cart])), tmp_path / "cases.parquet"
    )
    report = recommend(built_shop, SILENT, cases=str(tmp_path / "cases.parquet"), out=str(tmp_path / "o.parquet"))
    assert report.notes == [
        "1 cases of shoppers without any order in the data, such as 'nobody'",
        "2 cart entries ignored, being no products of the model, such as 'no-such-thing'",
    ]


def test_cases_before_the_models_cutoff_are_refused_with_the_command_that_helps(
    built_shop: Settings, package: ModelPackage
) -> None:
    early = int(datetime(2024, 3, 1, 23, 30, tzinfo=UTC).timestamp())  # already the 2nd in the shop
    with pytest.raises(DataError, match=r"^2 of 3 cases .*2024-03-01 23:30 UTC.*train --until 2024-03-02"):
        recommend_cases(built_shop, table([package.as_of - 1, early, package.as_of]))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"case_id": pa.array(["a", "a"])}, r"1 case_id stand there more than once, such as 'a' \(2 times\)"),
        ({"case_id": pa.array(["a", None])}, "case_id is missing in 1 of 2 rows"),
        ({"case_id": pa.array([0.5, 1.5])}, "case_id holds double, but a text or whole number"),
        ({"shopper_id": pa.array([True, False])}, "shopper_id holds bool"),
        ({"at": pa.array(["2024-05-01", "2024-05-02"])}, "at holds string, but a UTC timestamp"),
        ({"at": pa.array([None, 1], pa.timestamp("s", "UTC"))}, "at is missing in 1 of 2 rows"),
        ({"cart": pa.array(["a,b", "c"])}, "cart holds string, but a list of product ids"),
        ({"cart": pa.array([[0.1], [0.2]])}, "cart holds list"),
        ({"channel": pa.array([1.5, 2.5])}, "channel holds double"),
    ],
)
def test_a_wrong_column_is_named(columns: dict[str, pa.Array], said: str) -> None:
    with pytest.raises(DataError, match=said):
        cases_of(table([1, 2], **columns))


@pytest.mark.parametrize("name", ["case_id", "shopper_id", "at", "cart"])
def test_a_missing_column_is_named(name: str) -> None:
    with pytest.raises(DataError, match=f"the column {name} is missing"):
        cases_of(table([1]).drop_columns(name))


def test_other_ways_to_write_the_same_cases_are_read_alike() -> None:
    plain = cases_of(table([5, 6], shopper_id=pa.array(["7", None]), cart=pa.array([["1", "2"], []])))
    other = cases_of(
        table(
            [5, 6],
            shopper_id=pa.array([7, None], pa.int64()),
            cart=pa.array([[1, 2], None], pa.large_list(pa.int64())),
            case_id=pa.array(["c0", "c1"]).dictionary_encode(),
            channel=pa.array([None, None]),
        )
    )
    assert (plain.shoppers, plain.carts, plain.channels) == (other.shoppers, other.carts, other.channels)
    assert plain.ids.to_pylist() == other.ids.to_pylist()


def test_files_that_are_missing_or_not_parquet_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="There is no file"):
        read_cases(tmp_path / "absent.parquet")
    (tmp_path / "cases.csv").write_text("case_id,shopper_id,at,cart\n")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        read_cases(tmp_path / "cases.csv")


def test_a_refusal_leaves_what_was_written_before(built_shop: Settings, package: ModelPackage, tmp_path: Path) -> None:
    pq.write_table(table([package.as_of - 9]), tmp_path / "early.parquet")
    (tmp_path / "out.parquet").write_text("kept")
    with pytest.raises(DataError):
        recommend(built_shop, SILENT, cases=str(tmp_path / "early.parquet"), out=str(tmp_path / "out.parquet"))
    pq.write_table(table([package.as_of]), tmp_path / "good.parquet")
    with pytest.raises(ConfigError, match="there is no folder"):
        recommend(built_shop, SILENT, cases=str(tmp_path / "good.parquet"), out=str(tmp_path / "no" / "out.parquet"))
    assert (tmp_path / "out.parquet").read_text() == "kept"
    assert len(list(tmp_path.iterdir())) == 3


def test_an_empty_work_folder_says_what_to_run(tmp_path: Path) -> None:
    empty = shop_settings(tmp_path / "home")
    with pytest.raises(PackageError, match="tillwise train"):
        recommend_cases(empty, table([1]))
    with pytest.raises(NotBuiltError, match="tillwise ingest"):
        export_cases(empty, SILENT, variant="loo", out=str(tmp_path / "cases.parquet"))
