"""The service's clock: wall time, or for a historical data set time counted on from the end of what the model knows.

A historical clock stands still while no service runs, and goes on where it was when one starts again on the same data:
or else an order would come before the answer that led to it. Live data know no such thing.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from configs.home import read_json, write_json

Clock = Callable[[], float]
"""Returns unix seconds."""

STARTED = "SERVICE_STARTED"
"""Environment variable, unix seconds: from when on the clock of the service counts. All its workers count from there,
also one that starts later in the place of one that died."""

KEPT = "clock.json"
"""File in the work folder's `run`: how far the clock has come, seconds, and with which data."""
KEEP_SECONDS = 5.0
AHEAD_SECONDS = 3 * KEEP_SECONDS
"""A service goes on so much later than was kept last, which surely is after all that it ever told."""

log = structlog.get_logger()


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


def start_of(folder: Path, data: str | None, now: float) -> float:
    """Return from when on a historical clock counts: `now`, or earlier, so that it goes on where it was.

    Args:
        folder: in which it was kept. data: fingerprint of the data that are served now; None: not known, so that
            whatever was kept counts. now: unix seconds.
    """
    try:
        kept = read_json(folder / KEPT)
        if kept is None or data not in {None, kept["data"]}:
            return now
        return now - float(kept["elapsed"]) - AHEAD_SECONDS
    except (ValueError, KeyError, TypeError) as error:
        log.warning("clock starts anew: what was kept of it cannot be read", error=repr(error))
        return now


class ClockKeeper(threading.Thread):
    """Writes down, for as long as the process lasts, how far a historical clock has come.

    Args:
        folder: where to. elapsed: seconds that it has come. data: fingerprint of what is served now.
    """

    def __init__(self, folder: Path, elapsed: Callable[[], float], data: Callable[[], str]) -> None:
        super().__init__(name="clock", daemon=True)
        self._folder, self._elapsed, self._data = folder, elapsed, data

    def run(self) -> None:
        """Keep it again and again, first at once."""
        while True:
            self.keep()
            time.sleep(KEEP_SECONDS)

    def keep(self) -> None:
        """Keep it once; a disk that takes nothing is told, and ends nothing."""
        try:
            write_json(self._folder / KEPT, {"data": self._data(), "elapsed": round(self._elapsed(), 3)})
        except OSError as error:
            log.warning("clock not kept", error=str(error))
