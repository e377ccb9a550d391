"""The edge to the `implicit` library: quiet fits on one BLAS thread. It is imported nowhere else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS at one thread: `implicit` runs threads of its own, is slow under both, and warns about it."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"):
        yield


def als_factors(
    held: sp.csr_matrix, *, factors: int, regularization: float, alpha: float, iterations: int, threads: int
) -> NDArray[np.float32]:
    """Return float32[products, factors] of alternating least squares over 0/1 CSR[orders, products]."""
    with one_blas_thread():
        from implicit.cpu.als import AlternatingLeastSquares

        model: Any = AlternatingLeastSquares(
            factors=factors,
            regularization=regularization,
            alpha=alpha,
            iterations=iterations,
            num_threads=threads,
            random_state=1,
        )
        model.fit(held, show_progress=False)
    found: NDArray[np.float32] = np.asarray(model.item_factors, dtype=np.float32)
    return found


def item_similarity(held: sp.csr_matrix, neighbours: int, bm25_length: float | None) -> sp.csr_matrix:
    """Return CSR[products, products] of the strongest `neighbours` a row.

    Args:
        held: 0/1 CSR[orders, products], at least one entry.
        bm25_length: BM25's correction b for how often a product sells, 0 to 1; None for plain cosine.
    """
    with one_blas_thread():
        from implicit.nearest_neighbours import BM25Recommender, CosineRecommender

        if bm25_length is None:
            model: Any = CosineRecommender(K=neighbours, num_threads=1)
        else:
            model = BM25Recommender(K=neighbours, B=bm25_length, num_threads=1)
        with warnings.catch_warnings():
            # Its own weighting makes a COO matrix, which its own similarity then warns about.
            warnings.simplefilter("ignore")
            model.fit(held, show_progress=False)
    return model.similarity.tocsr()
