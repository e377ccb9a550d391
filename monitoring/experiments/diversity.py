"""How varied what an arm shows is: distinct products and the spread over categories. Pure functions on counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.int64]


def distinct_share(times: Counts, drawn: int) -> float:
    """Return the expected share of distinct products among `drawn` of the products shown.

    More answers show more products, so arms of different size are compared on equally many (rarefaction, Hurlbert
    1971, Ecology).

    Args:
        times: how often each product was shown. drawn: at most `times.sum()`, at least 1.
    """
    from scipy.special import gammaln

    total = int(times.sum())
    absent = np.zeros(times.size)  # log of the probability that none of the drawn is this product
    rest = total - times
    possible = rest >= drawn
    some = rest[possible]
    absent[possible] = gammaln(some + 1) - gammaln(some - drawn + 1) - gammaln(total + 1) + gammaln(total - drawn + 1)
    return float((1 - np.where(possible, np.exp(absent), 0.0)).sum() / drawn)


def entropy_bits(times: Counts) -> float:
    """Return how evenly what was shown spreads over categories (Shannon): 0 for one, log2(n) for n alike."""
    share = times[times > 0] / times.sum()
    return float(-(share * np.log2(share)).sum())
