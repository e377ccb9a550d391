"""Calendar days of a shop: its midnights as moments, and whether a day lies in the data at all."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from configs.errors import DataError


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return the moment (unix seconds) at which `day` begins in `zone`."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def local_day(moment: int, zone: ZoneInfo) -> date:
    """Return the day in `zone` that a moment (unix seconds) falls on."""
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).date()


def local_hours(moments: NDArray[np.int64], zone: ZoneInfo) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return (hour of day, 0 to 24, whole minutes; weekday, 0 being Monday) in `zone` of unix seconds."""
    quarters, place = np.unique(moments // 900, return_inverse=True)  # no zone changes its clock between two of them
    starts = [datetime.fromtimestamp(int(quarter) * 900, UTC).astimezone(zone) for quarter in quarters]
    offset = np.array([(start.utcoffset() or timedelta(0)).total_seconds() for start in starts], dtype=np.int64)
    local = moments + offset[place]
    return (local % 86_400 // 60) / 60, (local // 86_400 + 3) % 7


def require_cut_in_data(option: str, day: date, first: date, last: date) -> None:
    """Refuse a cut at the beginning of `day` that leaves nothing before it or lies after the data's end.

    Args:
        option: what a user calls the setting, for the message.
        day: the day whose midnight is the cut.
        first, last: days of the oldest and the newest order.

    Raises:
        DataError: `day` is not one of first + 1 … last + 1.
    """
    end = last + timedelta(days=1)
    if not first < day <= end:
        raise DataError(
            f"{option} {day} lies outside the data, whose orders are from {first} to {last}: "
            f"choose a day after {first} and not after {end}."
        )
