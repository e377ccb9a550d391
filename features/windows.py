"""How history is cut in time: training folds, then the test window; every cut is a midnight of the shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from configs.errors import DataError
from configs.settings import WindowSettings
from features.history import History


@dataclass(frozen=True)
class Window:
    """A target window: [start, end) in unix seconds. Statistics for it may use only what lies before `start`."""

    start: int
    end: int


@dataclass(frozen=True)
class Windows:
    """All windows of a history, and the moment up to which the served model may know anything.

    Attributes:
        folds: training target windows, oldest first, ending where the test window starts.
        test: the newest days.
    """

    folds: tuple[Window, ...]
    test: Window

    @property
    def as_of(self) -> int:
        """Cutoff of everything that is served: the start of the test window, unix seconds."""
        return self.test.start


def cut_windows(history: History, timezone: str, settings: WindowSettings) -> Windows:
    """Return the windows of a history.

    Args:
        history: all orders.
        timezone: IANA name of the shop's zone; days begin at its midnights.
        settings: lengths and number of the windows.

    Raises:
        DataError: the history is shorter than the windows together need.
    """
    if not len(history):
        raise DataError("The history holds no orders: nothing can be trained or evaluated.")
    zone = ZoneInfo(timezone)
    last_day = datetime.fromtimestamp(int(history.at[-1]), UTC).astimezone(zone).date()

    def midnight(days_before_end: int) -> int:
        day = last_day + timedelta(days=1 - days_before_end)
        return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())

    test = Window(midnight(settings.test_days), midnight(0))
    cuts = [midnight(settings.test_days + fold * settings.target_days) for fold in range(settings.folds, -1, -1)]
    if history.at[0] >= cuts[0]:
        days = (int(history.at[-1]) - int(history.at[0])) / 86_400
        needed = settings.test_days + settings.folds * settings.target_days
        raise DataError(
            f"The history spans {days:.0f} days, but the windows need more than {needed} (test_days + folds × "
            f"target_days): bring more orders or shorten TILLWISE_WINDOWS__TEST_DAYS, __TARGET_DAYS or __FOLDS."
        )
    folds = tuple(Window(start, end) for start, end in pairwise(cuts))
    return Windows(folds, test)
