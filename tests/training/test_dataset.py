"""The product side that training freezes at each fold, and the one it packages."""

from __future__ import annotations

import numpy as np

from configs import Settings
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.dataset import product_matrices, product_matrix
from training.package import ModelPackage


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
