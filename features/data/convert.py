"""Source values to contract values, a column at a time: text, numbers, flags."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.data.sources import TEXT

_FLAGS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0"), False),
}
_NOT_TEXT = (list, dict, set, tuple, bytes, np.ndarray)


def as_text(values: pd.Series, where: str) -> pd.Series:
    """Return trimmed text; what is empty becomes missing. Whole numbers lose a trailing `.0`.

    Raises:
        DataError: the column holds lists, records or bytes.
    """
    if pd.api.types.is_float_dtype(values.dtype) and is_whole(values):
        values = values.astype("Int64")
    elif values.dtype == object:
        odd = values[values.map(lambda value: isinstance(value, _NOT_TEXT))]
        if len(odd):
            raise DataError(f"{where}: found {type(odd.iloc[0]).__name__} values, expected text or numbers.")
        values = values.map(str, na_action="ignore")
    text = values.astype(TEXT).str.strip()
    return text.mask(text == "")


def as_id(values: pd.Series, where: str) -> pd.Series:
    """Return ids as trimmed text.

    Raises:
        DataError: the column holds numbers with decimals, timestamps, lists, records or bytes.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise DataError(f"{where}: found timestamps, expected ids (text or whole numbers).")
    if pd.api.types.is_float_dtype(values.dtype) and not is_whole(values):
        example = values[values % 1 != 0].dropna().iloc[0]
        raise DataError(f"{where}: found numbers with decimals (such as {example}), expected ids.")
    return as_text(values, where)


def as_number(values: pd.Series, where: str) -> tuple[pd.Series, pd.Series]:
    """Return float64 numbers, missing where there is none to be read, and where something unreadable stood.

    Raises:
        DataError: the column holds timestamps.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        raise DataError(f"{where}: found timestamps, expected numbers.")
    if not pd.api.types.is_numeric_dtype(values.dtype):
        values = as_text(values, where)
    numbers = pd.to_numeric(values, errors="coerce").astype("Float64").astype("float64")
    numbers = numbers.mask(~np.isfinite(numbers))
    return numbers, values.notna() & numbers.isna()


def as_flag(values: pd.Series, where: str) -> pd.Series:
    """Return yes or no, missing where neither can be read; a number is a stock level, yes above 0."""
    if pd.api.types.is_bool_dtype(values.dtype):
        return values.astype("boolean")
    text = as_text(values, where).str.lower()
    flags = text.map(_FLAGS).astype("boolean")
    levels, _ = as_number(text, where)
    return flags.mask(flags.isna() & levels.notna(), levels > 0)


def is_whole(values: pd.Series) -> bool:
    """Whether every number of a float column is a whole one."""
    present = values.dropna()
    return bool((np.isfinite(present) & (present % 1 == 0)).all())
