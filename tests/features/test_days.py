"""Local hours against the standard library, across changes of the clock."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.days import local_hours

moments = st.lists(st.integers(0, 2_000_000_000), min_size=1, max_size=20)


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Berlin", "Asia/Kathmandu", "UTC"])
@given(moments)
def test_hours_and_weekdays_are_the_clocks_of_the_shop(zone: str, asked: list[int]) -> None:
    hour, weekday = local_hours(np.array(asked, dtype=np.int64), ZoneInfo(zone))
    for place, moment in enumerate(asked):
        local = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))
        assert hour[place] == pytest.approx(local.hour + local.minute / 60)
        assert weekday[place] == local.weekday()
