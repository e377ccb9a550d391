"""What the cart-and-history encoder thinks of the candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.definitions.base import Columns, Feature


def _compute(context: Context, candidates: NDArray[np.int32]) -> Columns:
    encoder = context.products.encoder
    return (0.0,) if encoder is None else (encoder.score(context.encoded, candidates),)


FEATURE = Feature(
    columns={"encoder_score": "log-odds by the encoder of cart, history and time of week; 0 without an encoder"},
    reads=frozenset({"cart", "shopper", "products", "now"}),
    compute=_compute,
)
