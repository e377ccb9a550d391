"""What came of each product shown, out of the system of record."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from events.record.attribution import Attribution, Wanted, ordered, touched
from training.feedback.shown import Exposures


class Came(IntEnum):
    """What came of a product that was shown, the strongest that did."""

    NOTHING = 0
    RETURNED = 1
    """It was ordered and wholly given back: whatever came before that, it was not wanted in the end."""
    CLICK = 2
    ADD = 3
    ORDER = 4


def read_outcomes(connection: Connection, how: Attribution, wanted: Wanted) -> dict[tuple[str, str], Came]:
    """Return what came of (request id, product id), for what anything came of."""
    found = {
        (request_id, product): Came.ADD if added else Came.CLICK
        for request_id, product, _, added in connection.execute(touched(how, wanted))
    }
    for request_id, product, quantity, *_ in connection.execute(ordered(how, wanted)):
        found[request_id, product] = Came.ORDER if quantity > 0 else Came.RETURNED
    return found


def outcomes_of(exposures: Exposures, found: Mapping[tuple[str, str], Came]) -> NDArray[np.int8]:
    """Return int8[rows], what came of each row of exposures, as `Came` numbers it."""
    requests = (exposures.request_ids[number] for number in exposures.exposure.tolist())
    keys = zip(requests, exposures.products, strict=True)
    return np.array([found.get(key, Came.NOTHING) for key in keys], dtype=np.int8)
