"""Finding products by words, the most popular first, for the checkout page's search box."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.context import ProductMatrix
from features.texts import Coded
from serving.schema import Product

BLOCK = 4096
"""Products that are looked through at a time: most questions are answered by the most popular ones."""


class ProductSearch:
    """Searches titles, categories, brands and ids of a package's products, the most popular first.

    The texts are columns that the package maps, in the order in which they are looked through.
    """

    def __init__(self, matrix: ProductMatrix) -> None:
        catalogue, self._rows = matrix.catalogue, matrix.by_popularity
        self._matrix = matrix
        self._own = [pa.array(texts) for texts in matrix.searched]
        shared = (Coded.of(texts) for texts in (catalogue.categories, catalogue.brands))
        self._shared = [(_lower(pa.array(texts.names, pa.string())), texts.codes) for texts in shared]

    def find(self, words: str, limit: int) -> list[Product]:
        """Return up to `limit` products of which each word is in some text; of an empty query the most popular."""
        sound = words.encode(errors="replace").decode()  # half a surrogate pair is no text that Arrow takes
        wanted = _lower(pa.array(sound.split(), pa.string())).to_pylist()
        tests = [self._test(word) for word in sorted(wanted, key=len, reverse=True)]  # the longest rules out most
        found: list[int] = []
        for start in range(0, self._rows.size, BLOCK):
            rows = self._rows[start : start + BLOCK]
            holding = np.ones(rows.size, dtype=bool)
            for test in tests:
                if holding.any():
                    holding &= test(start)
            found += rows[holding].tolist()
            if len(found) >= limit:
                break
        return self.products(found[:limit])

    def popular(self, limit: int) -> list[Product]:
        """Return the products in stock that sell most, at most `limit`."""
        best, in_stock = self._matrix.by_popularity, self._matrix.catalogue.in_stock
        return self.products(best[in_stock[best]][:limit].tolist())

    def products(self, rows: Iterable[int]) -> list[Product]:
        """Return what the catalogue knows of products, in the order given."""
        return [self._product(row) for row in rows]

    def _test(self, word: str) -> Callable[[int], NDArray[np.bool_]]:
        """Return what tells of a block which products, bool[block], hold the word in any of their texts."""
        named = [(_holds(names, word), codes) for names, codes in self._shared]

        def test(start: int) -> NDArray[np.bool_]:
            found = [_holds(texts.slice(start, BLOCK), word) for texts in self._own]
            rows = self._rows[start : start + BLOCK]
            found += [holds[codes[rows]] for holds, codes in named]
            holding: NDArray[np.bool_] = np.logical_or.reduce(found)
            return holding

        return test

    def _product(self, row: int) -> Product:
        catalogue, price = self._matrix.catalogue, float(self._matrix.price[row])
        return Product(
            product_id=catalogue.ids[row],
            title=catalogue.titles[row],
            category=catalogue.categories[row],
            brand=catalogue.brands[row],
            price=None if math.isnan(price) else round(price, 2),
            in_stock=bool(catalogue.in_stock[row]),
        )


def _lower(texts: pa.Array) -> pa.Array:
    return pc.utf8_lower(texts)


def _holds(texts: pa.Array, word: str) -> NDArray[np.bool_]:
    holds: NDArray[np.bool_] = pc.match_substring(texts, word).to_numpy(zero_copy_only=False)
    return holds
