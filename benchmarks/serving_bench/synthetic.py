"""A synthetic catalogue of any size, made of a real one: labelled so wherever its figures stand.

Every product is a copy of a real one under an id of its own: its statistics, price and vectors with some noise, its
category and brand as they are, its co-occurrence partners copied to random copies of the real partners. The models stay
the real ones, and so do the products that real shoppers bought; what grows is everything that has a row a product.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.context import ProductMatrix
from features.cooccurrence import Neighbours
from features.encoder import Encoder
from features.history import Catalogue
from features.products import ProductStats
from features.texts import Coded
from training.package import ModelPackage, save_package
from training.selftest import recorded

SEED = 17
NOISE = 0.2
"""Standard deviation of the logarithm of what is perturbed."""

SLIGHT = 0.02
"""Standard deviation of what is added to each number of a vector."""

MARK = "~"
"""Between a real id and the number of its copy."""


@dataclass(frozen=True)
class Copies:
    """Which real product each product is a copy of, in ascending order of the new ids.

    Attributes:
        ids: the new ids; of the first copy the real one. source: int32[products], row of the real product.
        row: int32[copies, real products], row of each copy; -1 where the last, partial copy has none.
    """

    ids: list[str]
    source: NDArray[np.int32]
    row: NDArray[np.int32]

    @classmethod
    def of(cls, ids: list[str], size: int) -> Copies:
        """Return `size` copies of the products with the given ids, each at least once."""
        source = np.arange(size, dtype=np.int32) % len(ids)
        number = np.arange(size) // len(ids)
        names = [f"{ids[at]}{MARK}{copy}" if copy else ids[at] for at, copy in zip(source, number, strict=True)]
        order = np.array(sorted(range(size), key=names.__getitem__))
        row = np.full((number[-1] + 1, len(ids)), -1, dtype=np.int32)
        row[number[order], source[order]] = np.arange(size)
        return cls([names[place] for place in order], source[order], row)

    def some(self, real: NDArray[np.int32], chance: np.random.Generator) -> NDArray[np.int32]:
        """Return a random copy's row of each of the real rows."""
        full = self.row.shape[0] - bool((self.row[-1] < 0).any())  # every product has so many
        return self.row[chance.integers(0, full, real.size), real]


def grown(package: ModelPackage, size: int, folder: Path) -> None:
    """Write a synthetic package of `size` products, at least as many as the real one has, into the empty `folder`."""
    copies, chance = Copies.of(list(package.products.ids), size), np.random.default_rng(SEED)
    matrix = _matrix(package.matrix, copies, chance)
    made = replace(package, version="", matrix=matrix, data=f"synthetic {size} of {package.data}")
    save_package(folder, recorded(made, package.golden))


def _matrix(real: ProductMatrix, copies: Copies, chance: np.random.Generator) -> ProductMatrix:
    together = replace(
        real.together,
        cosine=_linked(real.together.cosine, copies, chance),
        confidence=_linked(real.together.confidence, copies, chance),
        vectors=_near(real.together.vectors[copies.source], chance),
    )
    stats = _stats(real.stats, copies, chance)
    encoder = None if real.encoder is None else _encoder(real.encoder, stats, copies, chance)
    return ProductMatrix(_catalogue(real.catalogue, copies, chance), stats, together, real.features, encoder)


def _catalogue(real: Catalogue, copies: Copies, chance: np.random.Generator) -> Catalogue:
    titles, categories, brands = list(real.titles), Coded.of(real.categories), Coded.of(real.brands)
    return Catalogue.of(
        ids=copies.ids,
        # Titles of their own: the memory they take is part of what is measured.
        titles=[f"{titles[row]} {number}" for number, row in enumerate(copies.source.tolist())],
        categories=Coded(categories.names, categories.codes[copies.source]),
        brands=Coded(brands.names, brands.codes[copies.source]),
        price=_about(real.price[copies.source], chance),
        in_stock=real.in_stock[copies.source],
        margin=_about(real.margin[copies.source], chance),
    )


def _stats(real: ProductStats, copies: Copies, chance: np.random.Generator) -> ProductStats:
    noisy = {name: _about(getattr(real, name)[copies.source], chance) for name in ("popularity", "trend", "price")}
    same = {name: getattr(real, name)[copies.source] for name in ProductStats.names() if name not in noisy}
    return ProductStats(**noisy, **same)


def _linked(real: Neighbours, copies: Copies, chance: np.random.Generator) -> Neighbours:
    length = np.diff(real.start)[copies.source]
    partner, weight, _ = real.rows(copies.source)
    return Neighbours(np.concatenate([[0], np.cumsum(length)]), copies.some(partner, chance), weight)


def _encoder(real: Encoder, stats: ProductStats, copies: Copies, chance: np.random.Generator) -> Encoder:
    weights = replace(
        real.weights, vectors=_near(real.weights.vectors[copies.source], chance), bias=real.weights.bias[copies.source]
    )
    lively = np.sort(np.argsort(-stats.popularity, kind="stable")[: real.lively.size]).astype(np.int32)
    return replace(real, weights=weights, lively=lively, unsold=np.sort(copies.some(real.unsold, chance)))


def _about(values: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    found: NDArray[np.float32] = values * np.exp(NOISE * chance.standard_normal(values.size)).astype(np.float32)
    return found


def _near(vectors: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    found: NDArray[np.float32] = vectors + np.float32(SLIGHT) * chance.standard_normal(vectors.shape, dtype=np.float32)
    return found
