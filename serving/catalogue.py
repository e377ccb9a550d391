"""Finding products by words, the most popular first, for the checkout page's search box."""

from __future__ import annotations

import math
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.context import ProductMatrix
from features.history import text_column
from serving.schema import Product


class ProductSearch:
    """Searches titles, categories, brands and ids of a package's products in one pass over a joined text."""

    def __init__(self, matrix: ProductMatrix) -> None:
        catalogue = matrix.catalogue
        self._matrix = matrix
        self._rows: NDArray[np.int32] = matrix.by_popularity
        parts = (catalogue.titles, catalogue.categories, catalogue.brands, catalogue.ids)
        lines = pc.binary_join_element_wise(*(text_column(part) for part in parts), " ").take(pa.array(self._rows))
        lines = pc.utf8_lower(pc.replace_substring(lines, "\n", " "))
        text = pc.binary_join_element_wise(lines, "", "\n").cast(pa.large_string()).combine_chunks()
        # Arrow keeps texts end to end: the text of them all, and where each begins.
        _, starts, self._text = text.buffers()
        self._starts = np.frombuffer(starts, np.int64)[:-1]

    def find(self, words: str, limit: int) -> list[Product]:
        """Return up to `limit` products whose text holds every word; of an empty query the most popular."""
        wanted = [word.encode(errors="replace") for word in words.lower().split()]
        if not wanted:
            return [self._product(row) for row in self._rows[:limit].tolist()]
        pattern = re.compile(rb"^.*" + re.escape(max(wanted, key=len)) + rb".*$", re.MULTILINE)
        found: list[Product] = []
        for match in pattern.finditer(self._text):
            if all(word in match[0] for word in wanted):
                found.append(self._product(int(self._rows[self._line(match.start())])))
                if len(found) == limit:
                    break
        return found

    def popular(self, limit: int) -> list[Product]:
        """Return the products in stock that sell most, at most `limit`."""
        best, in_stock = self._matrix.by_popularity, self._matrix.catalogue.in_stock
        return [self._product(row) for row in best[in_stock[best]][:limit].tolist()]

    def _line(self, position: int) -> int:
        return int(np.searchsorted(self._starts, position, side="right")) - 1

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
