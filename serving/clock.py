"""The service's clock: wall time, or for a historical data set time counted on from the end of what the model knows."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Returns unix seconds."""

STARTED = "SERVICE_STARTED"
"""Environment variable, unix seconds: when the service started. All workers count on from there, also one that starts
later in the place of one that died: or else an order would come before the answer that led to it."""


def service_clock(kind: str, as_of: float) -> Clock:
    """Return the clock of the service that this process is part of; of one that starts now, if it is of none.

    Args:
        kind: "live", or "historical": 2017's baskets are ranked as if it were 2017.
        as_of: unix seconds at which a historical clock starts.
    """
    if kind == "live":
        return time.time
    started = float(os.environ.get(STARTED) or time.time())
    return lambda: as_of + (time.time() - started)
