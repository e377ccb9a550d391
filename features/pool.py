"""Searching many products for the few whose vectors lie nearest to a request's: exactly, reading a quarter of them.

What such a search costs is reading the vectors. So they lie there a second time, rounded to a byte a number. One pass
over those tells every score to within a margin that is known from how far rounding moved the vectors; only products
that may be among the nearest by that margin are scored by their true vectors. What is found is what a search of the
true vectors finds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from features.top import border, top_rows

Floats = NDArray[np.float32]
LARGEST = 127
CACHED = 1024
"""Products that are scored at a time, so that their sums stay in the processor's first cache."""
BLOCK = 32
"""Products of which only the highest score is looked at first."""
UNROLLED = 8
SLACK = 1e-5
"""Share of the lengths' product by which sums of float32 may differ with their order; of 64 numbers a tenth of it."""


@dataclass(frozen=True)
class Pool:
    """Products that are searched as a whole.

    Attributes:
        rows: int32[n], product rows.
        vectors, bias: float32[products, d] and float32[products], of all products.
        rounded: int8[d, n], the pool's vectors, each divided by its scale: number by number, product beside product.
        scale, offset: float32[n], of each product.
        off, longest: the greatest distance of a vector from its rounded one, and the greatest length of a vector.
    """

    rows: NDArray[np.int32]
    vectors: Floats
    bias: Floats
    rounded: NDArray[np.int8]
    scale: Floats
    offset: Floats
    off: float
    longest: float

    @classmethod
    def of(cls, rows: NDArray[np.int32], vectors: Floats, bias: Floats) -> Pool:
        """Return the pool of product rows, given the vectors and biases of all products."""
        own = vectors[rows]
        scale = np.maximum(np.abs(own).max(axis=1, initial=0.0), 1e-30) / np.float32(LARGEST)
        rounded = np.rint(own / scale[:, None]).astype(np.int8)
        off = np.linalg.norm(own - rounded * scale[:, None], axis=1).max(initial=0.0)
        longest = np.linalg.norm(own, axis=1).max(initial=0.0)
        side_by_side = np.ascontiguousarray(rounded.T)
        return cls(rows, vectors, bias, side_by_side, scale, bias[rows], float(off), float(longest))

    def nearest(self, vector: Floats, limit: int) -> NDArray[np.int32]:
        """Return the product rows with the highest scores, inner product and bias, int32, the highest first.

        Args:
            vector: float32[d], of the request. limit: at most so many; of equal scores the pool's earlier one wins.
        """
        if limit <= 0:
            return np.empty(0, dtype=np.int32)
        return self.rows[self._places(vector, limit)]

    def _places(self, vector: Floats, limit: int) -> NDArray[np.intp]:
        if self.rows.size <= limit:
            return top_rows(_scores(self.rows, self.vectors, self.bias, vector), limit)
        about, highest = _about(self.rounded, self.scale, self.offset, vector)
        # So many blocks have a maximum at or above the border, each in another product.
        reached = border(highest if highest.size > 2 * limit else about, limit)
        margin = (self.off + SLACK * self.longest) * math.sqrt(float(vector @ vector))
        # The true scores of `limit` products reach the border less the margin, so no other one below that is nearest.
        near = _near(about, highest, np.float32(reached - 2 * margin))
        return near[top_rows(_scores(self.rows[near], self.vectors, self.bias, vector), limit)]


def _scores(rows: NDArray[np.int32], vectors: Floats, bias: Floats, vector: Floats) -> Floats:
    scores: Floats = np.take(vectors, rows, axis=0) @ vector + bias[rows]
    return scores


@compiled
def _about(rounded: NDArray[np.int8], scale: Floats, offset: Floats, vector: Floats) -> tuple[Floats, Floats]:
    """Return float32[n], the scores by the rounded vectors, and the highest of each block.

    Written so that it is vectorized without sums being taken in another order.
    """
    size, numbers = scale.size, rounded.shape[0]
    found, highest = np.zeros(size, np.float32), np.empty((size + BLOCK - 1) // BLOCK, np.float32)
    whole = numbers - numbers % UNROLLED
    for first in range(0, size, CACHED):
        last = min(first + CACHED, size)
        total = found[first:last]
        for place in range(0, whole, UNROLLED):
            a, b, c, d = vector[place], vector[place + 1], vector[place + 2], vector[place + 3]
            e, f, g, h = vector[place + 4], vector[place + 5], vector[place + 6], vector[place + 7]
            part = rounded[place : place + UNROLLED, first:last]
            for n in range(total.size):
                total[n] += (
                    (a * np.float32(part[0, n]) + b * np.float32(part[1, n]))
                    + (c * np.float32(part[2, n]) + d * np.float32(part[3, n]))
                ) + (
                    (e * np.float32(part[4, n]) + f * np.float32(part[5, n]))
                    + (g * np.float32(part[6, n]) + h * np.float32(part[7, n]))
                )
        for place in range(whole, numbers):
            for n in range(total.size):
                total[n] += vector[place] * np.float32(rounded[place, first + n])
        for n in range(total.size):
            total[n] = total[n] * scale[first + n] + offset[first + n]
    for block in range(highest.size):
        most = found[block * BLOCK]
        for n in range(block * BLOCK, min((block + 1) * BLOCK, size)):
            most = max(most, found[n])
        highest[block] = most
    return found, highest


@compiled
def _near(about: Floats, highest: Floats, least: np.float32) -> NDArray[np.int64]:
    """Return the places of scores of at least `least`, ascending; blocks without one are passed over."""
    near = np.empty(about.size, np.int64)
    found = 0
    for block in range(highest.size):
        if highest[block] >= least:
            for n in range(block * BLOCK, min((block + 1) * BLOCK, about.size)):
                if about[n] >= least:
                    near[found] = n
                    found += 1
    return near[:found].copy()
