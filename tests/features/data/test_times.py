"""Timestamps of any make become UTC, or are refused with a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import DataError
from features.data.times import as_moment


def read(*values: object, zone: str | None = None) -> list[datetime | None]:
    """Return values as UTC moments, None where unreadable."""
    moments = as_moment(pd.Series(list(values)), zone, "orders.placed_at")
    assert str(moments.dtype) == "datetime64[us, UTC]"
    return [None if value is pd.NaT else value.to_pydatetime() for value in moments]


def test_offsets_of_one_column_may_differ() -> None:
    assert read("2024-03-30T12:00:00+01:00", "2024-04-01 12:00:00+02:00", "2024-04-01T10:00:00Z") == [
        datetime(2024, 3, 30, 11, tzinfo=UTC),
        datetime(2024, 4, 1, 10, tzinfo=UTC),
        datetime(2024, 4, 1, 10, tzinfo=UTC),
    ]


def test_times_without_offset_are_local_to_the_declared_zone_on_both_sides_of_summer_time() -> None:
    assert read("2017-01-01 11:53:26", "2017-07-01 11:53:26", zone="America/New_York") == [
        datetime(2017, 1, 1, 16, 53, 26, tzinfo=UTC),
        datetime(2017, 7, 1, 15, 53, 26, tzinfo=UTC),
    ]


def test_a_date_alone_is_its_midnight_and_has_no_offset() -> None:
    assert read("2024-05-01", zone="Europe/Amsterdam") == [datetime(2024, 4, 30, 22, tzinfo=UTC)]


def test_an_hour_that_happened_twice_is_the_earlier_and_one_that_never_did_the_next() -> None:
    assert read("2024-10-27 02:30", "2024-03-31 02:30", zone="Europe/Amsterdam") == [
        datetime(2024, 10, 27, 0, 30, tzinfo=UTC),
        datetime(2024, 3, 31, 1, 0, tzinfo=UTC),
    ]


def test_typed_timestamps_need_no_text() -> None:
    aware = pd.Series(pd.to_datetime(["2024-05-01T12:00+02:00"]))
    naive = pd.Series(pd.to_datetime(["2024-05-01T12:00"]))

    assert as_moment(aware, None, "t.c")[0] == pd.Timestamp("2024-05-01T10:00Z")
    assert as_moment(naive, "Europe/Amsterdam", "t.c")[0] == pd.Timestamp("2024-05-01T10:00Z")


def test_what_is_no_timestamp_is_missing() -> None:
    assert read("2024-05-01T10:00Z", "soon", None, "01/05/2024 10:00", "") == [
        datetime(2024, 5, 1, 10, tzinfo=UTC),
        *[None] * 4,
    ]


def test_times_without_offset_and_without_declared_zone_are_refused() -> None:
    with pytest.raises(DataError, match=r"orders\.placed_at.*2024-05-01 10:00.*`timestamps_in: UTC`"):
        read("2024-05-01 10:00")


@pytest.mark.parametrize("zone", [None, "UTC"])
def test_times_with_and_without_offset_in_one_column_are_refused(zone: str | None) -> None:
    with pytest.raises(DataError, match=r"1 timestamps carry an offset .* and 2 carry none .*one way"):
        read("2024-05-01T10:00+02:00", "2024-05-01T10:00", "2024-05-02T10:00", zone=zone)


def test_numbers_are_no_timestamps() -> None:
    with pytest.raises(DataError, match=r"orders\.placed_at: found numbers \(such as 1714557600\)"):
        read(1714557600)


LOCAL_TIMES = st.datetimes(
    datetime(1991, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
    datetime(2060, 1, 1),  # noqa: DTZ001 - as above
)


@given(
    LOCAL_TIMES,
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_any_moment_with_an_offset_is_that_moment(moment: datetime, zone: timezone) -> None:
    assert read(moment.replace(tzinfo=zone).isoformat()) == [moment.replace(tzinfo=zone).astimezone(UTC)]


@given(LOCAL_TIMES, st.sampled_from(["Asia/Tokyo", "UTC", "Etc/GMT+5"]))
def test_any_local_time_of_a_zone_without_summer_time_is_that_moment(moment: datetime, zone: str) -> None:
    assert read(moment.isoformat(), zone=zone) == [moment.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)]
