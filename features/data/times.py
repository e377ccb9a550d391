"""Timestamps of any make to UTC."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.data.sources import TEXT

_OFFSET = r"(?i)\d(?:z|[+-]\d{2}(?::?\d{2})?)$"
_TIME_OF_DAY = r"[Tt ]\d"


def as_moment(values: pd.Series, zone: str | None, where: str) -> pd.Series:
    """Return `values` as UTC timestamps; what cannot be read becomes missing.

    Timestamps that carry an offset or a zone are converted. Those that carry none are local time in `zone`;
    where clocks were set back, the earlier moment is meant; a time that was skipped is moved to the next one.

    Args:
        values: timestamps, or ISO 8601 text.
        zone: IANA zone of timestamps without an offset; None: there are none.
        where: table and column, for messages.

    Raises:
        DataError: numbers instead of timestamps; timestamps with and without offset in one column; timestamps
            without offset and no `zone`.
    """
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _to_utc(values)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _localize(values, zone, where)
    if pd.api.types.is_numeric_dtype(values.dtype):
        example = values.dropna().iloc[:1].tolist()
        raise DataError(
            f"{where}: found numbers (such as {example[0] if example else 0}), expected timestamps or "
            "ISO 8601 text. Export them as 2024-05-31T17:05:00+02:00."
        )
    return _parse(values.astype(TEXT).str.strip(), zone, where)


def _parse(text: pd.Series, zone: str | None, where: str) -> pd.Series:
    read = pd.to_datetime(text, utc=True, format="ISO8601", errors="coerce")
    readable = read.notna()
    # A date alone ends like an offset ("-05"): only text with a time of day can have one.
    aware = text.str.contains(_TIME_OF_DAY).eq(True) & text.str.contains(_OFFSET).eq(True)
    with_offset, without = readable & aware, readable & ~aware
    if not without.any():
        return _to_utc(read)
    if with_offset.any():
        raise DataError(
            f"{where}: {int(with_offset.sum())} timestamps carry an offset ({text[with_offset].iloc[0]}) and "
            f"{int(without.sum())} carry none ({text[without].iloc[0]}), so that their order is unknown. "
            "Export all of them one way."
        )
    return _localize(read.dt.tz_localize(None), zone, where)


def _localize(values: pd.Series, zone: str | None, where: str) -> pd.Series:
    if zone is None:
        example = values.dropna().iloc[:1].tolist()
        raise DataError(
            f"{where}: timestamps such as {example[0] if example else 'these'} carry no offset. Say in the "
            "mapping which zone they are in, as in `timestamps_in: UTC`."
        )
    earlier = np.ones(len(values), dtype=bool)
    return _to_utc(values.dt.tz_localize(zone, ambiguous=earlier, nonexistent="shift_forward"))


def _to_utc(values: pd.Series) -> pd.Series:
    moments: pd.Series = values.dt.tz_convert("UTC").dt.as_unit("us")
    return moments
