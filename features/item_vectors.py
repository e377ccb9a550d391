"""A vector a product, such that products bought in the same baskets point the same way.

The shrunk cosines of co-occurrence are a sparse symmetric matrix; its leading eigenvectors are the item vectors, as in
Levy and Goldberg 2014 (NeurIPS), found by randomised projection (Halko, Martinsson and Tropp 2011, SIAM Review).
A product with few orders leans on its category, and one never sold has its category's vector: that is its cold start.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

OVERSAMPLING = 16
POWER_ITERATIONS = 2
SEED = 11
LEAST_SPAN = 1e-12
"""Directions whose squared length is a smaller share of the longest one's are rounding errors of float32."""


def item_vectors(
    cosine: sp.csr_matrix,
    orders: NDArray[np.integer],
    leaf: NDArray[np.int32],
    dimensions: int,
    prior_orders: float,
) -> NDArray[np.float32]:
    """Return float32[products, at most `dimensions`], of length 1, or 0 where nothing is known of product and category.

    Args:
        cosine: products × products, of each product its partners.
        orders: int[products], orders with each product. leaf: int32[products], leaf category code.
        dimensions: fewer come back for a catalogue of fewer products.
        prior_orders: at so many orders, product and category weigh the same.
    """
    size = leaf.size
    if not cosine.nnz:
        return np.zeros((size, min(dimensions, size)), dtype=np.float32)
    with threadpool_limits(1, user_api="blas"):  # equal inputs give equal vectors, whatever the process did before
        own = _unit(_leading(cosine, min(dimensions, size)))
    weight = np.asarray(orders, dtype=np.float32)[:, None] * (np.abs(own).sum(axis=1, keepdims=True) > 0)
    of_leaf = sp.csr_matrix((np.ones(size, dtype=np.float32), (leaf, np.arange(size))))
    shared = _unit(of_leaf @ (own * weight))
    return _unit(own * weight + np.float32(prior_orders) * shared[leaf])


def _leading(cosine: sp.csr_matrix, rank: int) -> NDArray[np.float32]:
    """Return float32[products, rank], eigenvectors scaled by the roots of their (positive) eigenvalues."""
    size = cosine.shape[0]
    links = ((cosine + cosine.T) * np.float32(0.5)).tocsr()
    columns = min(size, rank + OVERSAMPLING)
    sketch = links @ np.random.default_rng(SEED).standard_normal((size, columns), dtype=np.float32)
    for _ in range(POWER_ITERATIONS):
        sketch = links @ _orthonormal(sketch)
    basis = _orthonormal(sketch)
    projected = basis.T @ (links @ basis)
    value, vector = np.linalg.eigh((projected + projected.T) / 2)
    best = np.argsort(-value, kind="stable")[:rank]
    scaled: NDArray[np.float32] = (basis @ vector[:, best]) * np.sqrt(np.maximum(value[best], 0.0))
    return scaled.astype(np.float32)


def _orthonormal(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32[rows, columns] of the same span, orthonormal; of lesser span, zeros stand for the missing ones.

    Through the eigenvectors of the columns' inner products: of so many rows, several times faster than QR.
    """
    wide = columns.astype(np.float64)
    value, vector = np.linalg.eigh(wide.T @ wide)
    spanned = value > LEAST_SPAN * value[-1]
    scale = np.zeros_like(value)
    scale[spanned] = 1.0 / np.sqrt(value[spanned])
    basis: NDArray[np.float32] = (wide @ (vector * scale)).astype(np.float32)
    return basis


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(vectors, length, out=np.zeros_like(vectors), where=length > 1e-6)
    return unit
