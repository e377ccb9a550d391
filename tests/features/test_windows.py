"""Where history is cut."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from configs.errors import DataError
from features.windows import cut_windows
from tests.features.histories import DAY, SETTINGS, START, Bought, history

WINDOWS = SETTINGS.windows.model_copy(update={"test_days": 7, "target_days": 14, "folds": 2})


def days_of_orders(days: int) -> list[Bought]:
    return [Bought(START + day * DAY, 0, (0, 1, 2)) for day in range(days)]


def test_windows_are_back_to_back_and_end_after_the_newest_order() -> None:
    past = history(days_of_orders(60))
    windows = cut_windows(past, "America/New_York", WINDOWS)
    assert windows.folds[0].end == windows.folds[1].start
    assert windows.folds[1].end == windows.test.start == windows.as_of
    assert windows.test.start < past.at[-1] < windows.test.end


def test_every_cut_is_a_midnight_of_the_shop_across_the_change_of_clocks() -> None:
    zone = ZoneInfo("Europe/Amsterdam")
    autumn = int(datetime(2024, 9, 1, 12, tzinfo=zone).timestamp())
    past = history([Bought(autumn + day * DAY, 0, (0, 1, 2)) for day in range(80)])
    windows = cut_windows(past, "Europe/Amsterdam", WINDOWS)
    for moment in (windows.folds[0].start, windows.folds[1].start, windows.test.start, windows.test.end):
        assert datetime.fromtimestamp(moment, zone).strftime("%H:%M") == "00:00"


def test_a_history_that_is_too_short_says_what_to_shorten() -> None:
    with pytest.raises(DataError, match=r"spans 19 days.*TILLWISE_WINDOWS__TEST_DAYS"):
        cut_windows(history(days_of_orders(20)), "UTC", WINDOWS)


@pytest.mark.parametrize(("days", "folds"), [(25, 1), (45, 1), (52, 2), (400, 2)])
def test_a_short_history_has_fewer_folds_and_orders_before_the_first(days: int, folds: int) -> None:
    known = history(days_of_orders(days))
    windows = cut_windows(known, "UTC", WINDOWS)
    assert len(windows.folds) == folds
    assert windows.folds[-1].end == windows.as_of
    assert known.at[0] < windows.folds[0].start
