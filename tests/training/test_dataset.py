"""Training examples: of the ranker's features, or of others that somebody tries."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from configs import Settings, SilentProgress
from features.context import Context
from features.definitions import COLUMNS, FEATURES, Feature, assemble, columns_of
from features.history import ingest_record, load_history
from features.shopper import ShopperState
from features.store import open_store
from features.windows import cut_windows
from training.dataset import build_examples, product_matrices, product_matrix
from training.examples import Split
from training.gbm import fit_gbm
from training.package import ModelPackage

ROW = Feature({"row": "the product's own row, to recognise it by"}, frozenset({"products"}), lambda _, rows: (rows,))


@pytest.fixture(scope="module")
def tried(built_shop: Settings) -> tuple[Split, Split]:
    """Examples as the ranker has them, and the same with the column `row`."""
    past = load_history(built_shop.work.data)
    windows = cut_windows(past, ingest_record(built_shop.work.data)["timezone"], built_shop.windows)
    store = open_store(built_shop)
    sides = [product_matrix(built_shop, store, past, windows.folds[-1].start)]
    build = partial(build_examples, built_shop, store, past, windows.folds[-1:], sides=sides, progress=lambda _: None)
    return build(), build(features=(*FEATURES, ROW))


def test_a_further_feature_adds_its_columns_and_changes_nothing_else(tried: tuple[Split, Split]) -> None:
    for plain, wider in ((tried[0].learn, tried[1].learn), (tried[0].held_back, tried[1].held_back)):
        assert wider.features.shape[1] == len(COLUMNS) + 1
        assert np.array_equal(wider.features[:, :-1], plain.features, equal_nan=True)
        assert np.array_equal(wider.label, plain.label)
        assert np.array_equal(wider.group, plain.group)
        assert (np.diff(wider.features[: wider.group[0], -1]) > 0).all()  # candidates ascend within a draw


def test_the_trees_are_trained_on_the_columns_they_are_given(built_shop: Settings, tried: tuple[Split, Split]) -> None:
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


def test_the_product_side_of_each_cutoff_equals_one_made_afresh(built_shop: Settings) -> None:
    history, store = load_history(built_shop.work.data), open_store(built_shop)
    windows = cut_windows(history, ingest_record(built_shop.work.data)["timezone"], built_shop.windows)
    cutoffs = [*(fold.start for fold in windows.folds), windows.as_of]
    chained = list(product_matrices(built_shop, store, history, cutoffs))
    for cutoff, matrix in zip(cutoffs, chained, strict=True):
        afresh = product_matrix(built_shop, store, history, cutoff)
        assert np.array_equal(matrix.stats.orders, afresh.stats.orders)
        assert np.array_equal(matrix.together.cosine.weight, afresh.together.cosine.weight)
        assert np.array_equal(matrix.together.vectors, afresh.together.vectors)
    assert not np.array_equal(chained[0].stats.orders, chained[-1].stats.orders)


def test_the_packaged_product_side_is_that_of_the_cutoff(built_shop: Settings, package: ModelPackage) -> None:
    history, store = load_history(built_shop.work.data), open_store(built_shop)
    afresh = product_matrix(built_shop, store, history, package.as_of)
    assert np.array_equal(package.matrix.stats.orders, afresh.stats.orders)
    for name in ("cosine", "confidence"):
        found, expected = getattr(package.matrix.together, name), getattr(afresh.together, name)
        assert np.array_equal(found.partner, expected.partner)
        assert np.array_equal(found.weight, expected.weight)
    # Axes of equal weight may turn with the rounding of another number of threads; inner products do not.
    found, expected = package.matrix.together.vectors[:50], afresh.together.vectors[:50]
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-4)
