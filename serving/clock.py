"""The service's clock: wall time, or for a historical data set time counted on from the end of what the model knows."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns unix seconds."""


def service_clock(kind: str, as_of: float) -> Clock:
    """Return the clock of a service that starts now.

    Args:
        kind: "live", or "historical": 2017's baskets are ranked as if it were 2017.
        as_of: unix seconds at which a historical clock starts.
    """
    if kind == "live":
        return time.time
    started = time.time()
    return lambda: as_of + (time.time() - started)
