"""Training examples: of the ranker's features, or of others that somebody tries."""

from __future__ import annotations

from functools import cache, partial

import numpy as np
import pytest

from configs import Settings, SilentProgress
from features.context import Context, ProductMatrix
from features.definitions import COLUMNS, FEATURES, Feature, assemble, columns_of
from features.history import ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import cut_windows
from training.dataset import build_examples, product_matrix
from training.examples import Split
from training.gbm import fit_gbm

ROW = Feature({"row": "the product's own row, to recognise it by"}, frozenset({"products"}), lambda _, rows: (rows,))


@pytest.fixture(scope="module")
def tried(built_shop: Settings) -> tuple[Split, Split, list[int]]:
    """Examples as the ranker has them, the same with the column `row`, and the moments that were asked for."""
    past, asked = load_history(built_shop.work.data), list[int]()
    windows = cut_windows(past, ingest_record(built_shop.work.data)["timezone"], built_shop.windows)
    store = open_store(built_shop)
    work_out = cache(partial(product_matrix, built_shop, store, past))

    def matrix_at(moment: int) -> ProductMatrix:
        asked.append(moment)
        return work_out(moment)

    build = partial(build_examples, built_shop, store, past, windows.folds[-1:], lambda _: None, matrix_at=matrix_at)
    return build(), build(features=(*FEATURES, ROW)), [windows.folds[-1].start, *asked]


def test_a_further_feature_adds_its_columns_and_changes_nothing_else(tried: tuple[Split, Split, list[int]]) -> None:
    for plain, wider in ((tried[0].learn, tried[1].learn), (tried[0].held_back, tried[1].held_back)):
        assert wider.features.shape[1] == len(COLUMNS) + 1
        assert np.array_equal(wider.features[:, :-1], plain.features, equal_nan=True)
        assert np.array_equal(wider.label, plain.label)
        assert np.array_equal(wider.group, plain.group)
        assert (np.diff(wider.features[: wider.group[0], -1]) > 0).all()  # candidates ascend within a draw


def test_the_product_side_is_asked_for_as_of_the_folds_start(tried: tuple[Split, Split, list[int]]) -> None:
    start, *asked = tried[2]
    assert asked == [start, start]


def test_the_trees_are_trained_on_the_columns_they_are_given(
    built_shop: Settings, tried: tuple[Split, Split, list[int]]
) -> None:
    training = built_shop.training.model_copy(update={"trees": 3})
    booster, _ = fit_gbm(tried[1], training, SilentProgress(), [*COLUMNS, "row"])
    assert booster.feature_name() == [*COLUMNS, "row"]


def test_features_are_computed_in_the_order_they_are_given(built_shop: Settings) -> None:
    chosen = (ROW, FEATURES[-1], FEATURES[0])
    past = load_history(built_shop.work.data)
    moment = int(past.at[-1]) + 1
    matrix = product_matrix(built_shop, open_store(built_shop), past, moment)
    context = Context(matrix, ShopperState.empty(), np.array([1, 2], dtype=np.int32), float(moment))
    rows = np.array([3, 5, 8], dtype=np.int32)
    whole = dict(zip(COLUMNS, assemble(context, rows).T, strict=True)) | {"row": rows}
    found = assemble(context, rows, chosen)
    for name, column in zip(columns_of(chosen), found.T, strict=True):
        assert np.array_equal(column, whole[name], equal_nan=True)
