"""How history is cut in time: training folds, then the test window; every cut is a midnight of the shop."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from configs.errors import DataError
from configs.settings import WindowSettings
from features.days import local_day, midnight, require_cut_in_data
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
        test: the days after the cutoff; the newest ones unless the settings choose another cutoff.
    """

    folds: tuple[Window, ...]
    test: Window

    @property
    def as_of(self) -> int:
        """Cutoff of everything that is served: the start of the test window, unix seconds."""
        return self.test.start


def cut_windows(history: History, timezone: str, settings: WindowSettings) -> Windows:
    """Return the windows of a history.

    The test window starts at the midnight of `settings.as_of`, else of `settings.until`, else `test_days` before the
    end of the data. It may reach beyond the data, and holds no orders at all when nothing follows `until`.

    Args:
        history: all orders.
        timezone: IANA name of the shop's zone; days begin at its midnights.
        settings: cutoff, lengths and number of the windows.

    Returns:
        `settings.folds` training folds, fewer where the history before the cutoff is too short for them.

    Raises:
        DataError: `as_of` lies outside the data, or the history is too short for a single fold.
    """
    if not len(history):
        raise DataError("The history holds no orders: nothing can be trained or evaluated.")
    zone = ZoneInfo(timezone)
    first, last = (local_day(int(history.at[end]), zone) for end in (0, -1))
    if settings.as_of is not None:
        require_cut_in_data("windows.as_of (--as-of)", settings.as_of, first, last)
    chosen = settings.as_of or settings.until
    cutoff = chosen or last + timedelta(days=1 - settings.test_days)

    def cut(days_after: int) -> int:
        return midnight(cutoff + timedelta(days=days_after), zone)

    # One target window of orders before the first fold, to know anything by; a single fold does with less.
    fitting = (n for n in range(settings.folds, 1, -1) if history.at[0] < cut(-(n + 1) * settings.target_days))
    cuts = [cut(-fold * settings.target_days) for fold in range(next(fitting, 1), -1, -1)]
    if history.at[0] >= cuts[0]:
        raise _too_short(history, cuts[-1], settings, chosen is not None)
    folds = tuple(Window(start, end) for start, end in pairwise(cuts))
    return Windows(folds, Window(cut(0), cut(settings.test_days)))


def _too_short(history: History, cutoff: int, settings: WindowSettings, chosen: bool) -> DataError:
    first, needed = int(history.at[0]), settings.target_days
    if chosen:
        return DataError(
            f"The history spans {max(0, cutoff - first) / 86_400:.0f} days before the cutoff, but training needs more "
            f"than {needed} (target_days): choose a later day for --until or --as-of, or shorten "
            "TILLWISE_WINDOWS__TARGET_DAYS."
        )
    return DataError(
        f"The history spans {(int(history.at[-1]) - first) / 86_400:.0f} days, but the windows need more than "
        f"{settings.test_days + needed} (test_days + target_days): bring more orders or shorten "
        "TILLWISE_WINDOWS__TEST_DAYS or __TARGET_DAYS."
    )
