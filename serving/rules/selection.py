"""Selectors of a rules file as masks over the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.context import ProductMatrix
from features.history import SEPARATOR
from serving.rules.schema import Select

Mask = NDArray[np.bool_]
"""bool[products]."""


class Selection:
    """Finds what selectors mean in one catalogue; equal selectors share their mask.

    Attributes:
        unknown: names that select nothing there, in the order of asking.
    """

    def __init__(self, matrix: ProductMatrix) -> None:
        self._matrix = matrix
        self._known: dict[Select, Mask] = {}
        self.unknown: list[str] = []

    def mask(self, select: Select) -> Mask:
        """Return which products are selected."""
        if select not in self._known:
            chosen = np.zeros(len(self._matrix.catalogue), dtype=bool)
            chosen[self._rows(select.products)] = True
            for path in select.categories:
                chosen |= self.below(path)
            if select.brands:
                chosen |= np.isin(self._matrix.catalogue.brand_keys, self._brand_keys(select.brands))
            self._known[select] = chosen
        return self._known[select]

    def below(self, path: str) -> Mask:
        """Return which products are of the category, or of one below it."""
        folded = path.strip().casefold()
        leaves = [leaf for leaf, name in enumerate(self._paths) if _within(name, folded)]
        self._note([path] if not leaves else [])
        chosen: Mask = np.isin(self._matrix.catalogue.levels.leaf, leaves)
        return chosen

    def row(self, product: str) -> int | None:
        """Return the row of a product id."""
        self._note([product] if product not in self._matrix.row_of else [])
        return self._matrix.row_of.get(product)

    @cached_property
    def _paths(self) -> list[str]:
        """The path of each leaf category, by its code."""
        catalogue = self._matrix.catalogue
        first = np.unique(catalogue.levels.leaf, return_index=True)[1]
        return [catalogue.categories[row].casefold() for row in first.tolist()]

    @cached_property
    def _brands(self) -> dict[str, list[int]]:
        """The keys of each brand, which the catalogue may write in upper and lower case."""
        catalogue, found = self._matrix.catalogue, dict[str, list[int]]()
        keys, first = np.unique(catalogue.brand_keys, return_index=True)
        for key, row in zip(keys.tolist(), first.tolist(), strict=True):
            found.setdefault(catalogue.brands[row].casefold(), []).append(key)
        return found

    def _rows(self, products: Sequence[str]) -> NDArray[np.int32]:
        self._note(product for product in products if product not in self._matrix.row_of)
        return self._matrix.rows(products)

    def _brand_keys(self, brands: Sequence[str]) -> list[int]:
        folded = [brand.strip().casefold() for brand in brands]
        self._note(brand for brand in folded if brand not in self._brands)
        return [key for brand in folded for key in self._brands.get(brand, [])]

    def _note(self, names: Iterable[str]) -> None:
        self.unknown += [name for name in names if name not in self.unknown]


def _within(name: str, path: str) -> bool:
    return name == path or name.startswith(path + SEPARATOR)
