"""Finding products by words, the most popular first, for the checkout page's search box."""

from __future__ import annotations

import math
import re
from bisect import bisect_right

from features.context import ProductMatrix
from serving.schema import Product


class ProductSearch:
    """Searches titles, categories, brands and ids of a package's products in one pass over a joined text."""

    def __init__(self, matrix: ProductMatrix) -> None:
        catalogue = matrix.catalogue
        self._matrix = matrix
        self._rows = matrix.by_popularity.tolist()
        lines = (
            f"{catalogue.titles[row]} {catalogue.categories[row]} {catalogue.brands[row]} {catalogue.ids[row]}"
            for row in self._rows
        )
        self._text = "\n".join(line.replace("\n", " ") for line in lines).lower()
        self._starts = [0, *(match.end() for match in re.finditer("\n", self._text))]

    def find(self, words: str, limit: int) -> list[Product]:
        """Return up to `limit` products whose text holds every word; of an empty query the most popular."""
        wanted = words.lower().split()
        if not wanted:
            return [self._product(row) for row in self._rows[:limit]]
        pattern = re.compile(rf"^.*{re.escape(max(wanted, key=len))}.*$", re.MULTILINE)
        found: list[Product] = []
        for match in pattern.finditer(self._text):
            if all(word in match[0] for word in wanted):
                found.append(self._product(self._rows[self._line(match.start())]))
                if len(found) == limit:
                    break
        return found

    def popular(self, limit: int) -> list[Product]:
        """Return the products in stock that sell most, at most `limit`."""
        best, in_stock = self._matrix.by_popularity, self._matrix.catalogue.in_stock
        return [self._product(row) for row in best[in_stock[best]][:limit].tolist()]

    def _line(self, position: int) -> int:
        return bisect_right(self._starts, position) - 1

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
