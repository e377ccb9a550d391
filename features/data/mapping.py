"""A source's rows as read to a contract table's columns, as `configs/datasets/NAME.yaml` declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from configs.errors import ConfigError
from configs.mapping import Constant, Join, Ratio, Sum, Table
from features.data.contract import Column, columns_of
from features.data.convert import as_flag, as_id, as_number, as_text
from features.data.times import as_moment

Spec = str | Constant | Sum | Ratio | Join


def unreadable(column: str) -> str:
    """Return the name of the column that marks where a number may be missing, but something else stood."""
    return f"unreadable_{column}"


@dataclass(frozen=True)
class Mapped:
    """A table after mapping.

    Attributes:
        frame: the contract columns, typed, plus an `unreadable_…` column of true-or-missing for each number
            that may be missing. Its index is that of the rows as read.
        columns: the contract columns.
        trimmed: ids that had spaces around them.
        filled: missing values that took their column's `fill`, by column.
    """

    frame: pd.DataFrame
    columns: tuple[Column, ...]
    trimmed: int
    filled: dict[str, int]


def map_table(raw: pd.DataFrame, name: str, table: Table, zone: str | None) -> Mapped:
    """Return the contract columns of `raw`; what cannot be read is missing, no row is left out.

    Args:
        raw: the rows as read.
        name: the contract table.
        table: its mapping.
        zone: IANA zone of timestamps that carry none; None: all carry an offset.

    Raises:
        ConfigError: a column is mapped in a way that does not fit its kind.
        DataError: a source column's type does not fit.
    """
    mapped = table.columns.mapped()
    columns = columns_of(name, mapped)
    parts: dict[str, pd.Series] = {}
    filled: dict[str, int] = {}
    for column in columns:
        values = _values(raw, mapped.get(column.name), column, zone, f"{name}.{column.name}")
        if column.fill is not None:
            missing = int(values[column.name].isna().sum()) - _marked(values, column.name)
            values[column.name] = values[column.name].fillna(column.fill)
            filled |= {column.name: missing} if missing and column.name in mapped else {}
        parts |= values
    return Mapped(pd.DataFrame(parts, index=raw.index), columns, _trimmed(raw, columns, mapped), filled)


def dropped(raw: pd.DataFrame, table: Table) -> pd.Series:
    """Return bool[rows]: the rows that `drop_where` leaves out on purpose."""
    leave_out = pd.Series(False, index=raw.index)
    for column, values in table.drop_where.items():
        wanted = [value.strip() for value in values]
        leave_out |= as_text(raw[column], f"drop_where.{column}").isin(wanted)
    return leave_out


def _values(raw: pd.DataFrame, spec: Spec | None, column: Column, zone: str | None, where: str) -> dict[str, pd.Series]:
    if spec is None:
        spec = Constant.model_construct(value=column.fill)
    if column.kind == "number":
        return _number_columns(raw, spec, column, where)
    source = _source(raw, spec, column, where)
    if column.kind == "moment":
        return {column.name: as_moment(source, zone, where)}
    convert = {"id": as_id, "text": as_text, "flag": as_flag}[column.kind]
    return {column.name: convert(source, where)}


def _source(raw: pd.DataFrame, spec: Spec, column: Column, where: str) -> pd.Series:
    if isinstance(spec, str):
        return raw[spec]
    if isinstance(spec, Constant):
        return pd.Series(spec.value, index=raw.index)
    if isinstance(spec, Join) and column.kind in ("id", "text", "moment"):
        return _join(raw, spec, where)
    raise ConfigError(
        f"{where} is mapped by {{{type(spec).__name__.lower()}: …}}, which does not fit a {column.kind} column; "
        "name a source column or give {value: …}."
    )


def _join(raw: pd.DataFrame, spec: Join, where: str) -> pd.Series:
    joined = as_text(raw[spec.join[0]], where)
    for name in spec.join[1:]:
        part = as_text(raw[name], where)
        both = joined.str.cat(part, sep=spec.separator)
        joined = both.fillna(joined).fillna(part)
    return _in_title_case(joined) if spec.case == "title" else joined


def _in_title_case(text: pd.Series) -> pd.Series:
    # str.title would write "Kid'S".
    distinct = {value: value.title().replace("'S", "'s") for value in text.dropna().unique()}
    return text.map(distinct).astype(text.dtype)


def _number_columns(raw: pd.DataFrame, spec: Spec, column: Column, where: str) -> dict[str, pd.Series]:
    values, bad = _number(raw, spec, column, where)
    if column.nullable or column.fill is not None:
        values = values.mask(bad)
        return {column.name: values, unreadable(column.name): bad.where(bad).astype("boolean")}
    return {column.name: values.mask(bad)}


def _number(raw: pd.DataFrame, spec: Spec, column: Column, where: str) -> tuple[pd.Series, pd.Series]:
    if isinstance(spec, Ratio):
        (top, bad_top), (bottom, bad_bottom) = (as_number(raw[name], where) for name in spec.ratio)
        return top / bottom.mask(bottom == 0), bad_top | bad_bottom
    if isinstance(spec, Sum):
        parts = [as_number(raw[name], where) for name in spec.sum]
        total = pd.concat([values for values, _ in parts], axis=1).sum(axis=1, min_count=1)
        return total, pd.concat([bad for _, bad in parts], axis=1).any(axis=1)
    return as_number(_source(raw, spec, column, where), where)


def _marked(values: Mapping[str, pd.Series], name: str) -> int:
    mark = values.get(unreadable(name))
    return 0 if mark is None else int(mark.notna().sum())


def _trimmed(raw: pd.DataFrame, columns: tuple[Column, ...], mapped: Mapping[str, Spec]) -> int:
    count = 0
    for column in columns:
        spec = mapped.get(column.name)
        if column.kind == "id" and isinstance(spec, str) and pd.api.types.is_string_dtype(raw[spec].dtype):
            text = raw[spec].dropna().astype(str)
            count += int((text != text.str.strip()).sum())
    return count
