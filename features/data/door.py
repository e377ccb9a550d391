"""One table through the door: read, mapped, cleared of what is excluded, validated, split in good and bad rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from configs.dataset import DatasetConfig
from configs.errors import DataError
from events.suppression import digest
from features.data.contract import Column
from features.data.ids import is_among
from features.data.live import LiveOrders
from features.data.mapping import dropped, map_table
from features.data.repairs import drop_repeated, fill_titles
from features.data.sources import describe, read_source

if TYPE_CHECKING:
    from features.data.validate import Validator

QUARANTINE_COLUMNS = ("reason", "expectation", "column", "row")
TAKEN_IN = "rows taken in from the system of record"
_EXAMPLES = 3


@dataclass(frozen=True)
class Ids:
    """Ids that later tables may refer to.

    `good` rows passed, `excluded` rows were left out as the mapping says, `forgotten` ones because they are of people
    who were erased.
    """

    good: pd.Series
    excluded: pd.Series
    forgotten: pd.Series


@dataclass(frozen=True)
class Passed:
    """What became of a table at the door.

    Attributes:
        rows: the contract columns of the good rows.
        columns: those columns.
        quarantine: the bad rows, with QUARANTINE_COLUMNS.
        read: rows in the source.
        excluded: rows left out as the mapping says.
        forgotten: rows of people who were erased after them, left out and kept nowhere.
        ids: the first column of those rows, which later tables may refer to.
        repairs: rows repaired, by what was done.
    """

    rows: pd.DataFrame
    columns: tuple[Column, ...]
    quarantine: pd.DataFrame
    read: int
    excluded: int
    forgotten: int
    ids: Ids
    repairs: dict[str, int]


class Door:
    """Takes in the tables of one data set."""

    def __init__(
        self,
        dataset: DatasetConfig,
        validator: Validator,
        max_rejected_share: float,
        live: LiveOrders | None = None,
        suppressed: Mapping[str, float] | None = None,
    ) -> None:
        """Use `validator` and refuse a table of which more than `max_rejected_share` breaks the contract.

        Live orders are validated with the shop's own; what is wrong with them is quarantined, but stops nothing. What
        is of people on the list `suppressed` (as `events.suppression.suppressed_until`) does not pass: their orders
        up to the wish, and their rows among the shoppers unless they have ordered again.
        """
        self._suppressed = suppressed or {}
        self._ordered = pd.Series([], dtype=object)
        self._dataset = dataset
        self._validator = validator
        self._max_rejected_share = max_rejected_share
        self._live = live

    def take_in(self, name: str, refers_to: Mapping[str, Ids] | None = None) -> Passed:
        """Return the good and the bad rows of a mapped table.

        Args:
            name: the contract table.
            refers_to: for columns that hold the id of another table's row, those ids.

        Raises:
            ConfigError: the mapping does not fit.
            DataError: the source cannot be read or too much of it breaks the contract.
        """
        table = self._dataset.tables.mapped()[name]
        own = read_source(table.source, table.source_columns(), self._dataset.origin.parent)
        mapped = map_table(own, name, table, self._dataset.timestamps_in)
        raw, rows = self._with_live(name, own, mapped.frame)
        left_out = dropped(own, table).reindex(rows.index, fill_value=False)
        forgotten = self._forgotten(name, rows) | _of(rows, refers_to or {}, lambda ids: ids.forgotten)
        left_out = (left_out | _of(rows, refers_to or {}, lambda ids: ids.excluded)) & ~forgotten
        kept, excluded, gone = rows[~left_out & ~forgotten], rows[left_out], rows[forgotten]
        if table.distinct:
            kept, excluded, gone = kept.drop_duplicates(), excluded.drop_duplicates(), gone.drop_duplicates()
        if kept.empty:
            raise DataError(
                f"{self._described(name)}: every row is excluded by drop_where in {self._dataset.origin}, or of "
                "somebody who was erased."
            )
        frame, repairs = _repair(name, kept)
        frame = frame.assign(**_unknown(frame, refers_to or {}))
        failures = self._validator.failures(name, frame)
        self._refuse_too_many(name, failures[failures["row"] < len(own)], frame[frame.index < len(own)], own)
        good = frame.loc[~frame.index.isin(failures["row"]), [column.name for column in mapped.columns]]
        key = mapped.columns[0].name
        if name == "orders":
            self._ordered = good["shopper_id"]
        return Passed(
            good.reset_index(drop=True),
            mapped.columns,
            _quarantine(failures, raw),
            len(raw),
            len(excluded),
            len(gone) + (self._live.forgotten if self._live is not None and name == "orders" else 0),
            Ids(good[key], excluded[key], gone[key]),
            _counted(
                {TAKEN_IN: len(raw) - len(own), "ids trimmed of spaces": mapped.trimmed}
                | repairs
                | _filled(mapped.filled)
            ),
        )

    def _forgotten(self, name: str, rows: pd.DataFrame) -> pd.Series:
        """Return bool[rows]: whether a row of orders or shoppers is of somebody who was erased after it."""
        if not self._suppressed or "shopper_id" not in rows:
            return pd.Series(False, index=rows.index)
        asked = {an_id: self._suppressed.get(digest(an_id)) for an_id in rows["shopper_id"].dropna().unique()}
        until = rows["shopper_id"].map(asked).astype("float64")
        if name == "orders":
            at = rows["placed_at"].astype("datetime64[us, UTC]").astype("int64").where(rows["placed_at"].notna())
            return until.notna() & ~(at / 1e6 > until)  # without a time it may be older
        return until.notna() & ~is_among(rows["shopper_id"], self._ordered)

    def _with_live(self, name: str, own: pd.DataFrame, mapped: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the shop's own rows with the live ones behind them, as they came and mapped."""
        raw, live = (own.iloc[:0], mapped.iloc[:0]) if self._live is None else self._live.rows(name, mapped)
        if live.empty:
            return own, mapped
        return pd.concat([own, raw], ignore_index=True), pd.concat([mapped, live], ignore_index=True)

    def _refuse_too_many(self, name: str, failures: pd.DataFrame, frame: pd.DataFrame, raw: pd.DataFrame) -> None:
        rejected = failures["row"].nunique()
        share = rejected / len(frame)
        if rejected < len(frame) and share <= self._max_rejected_share:
            return
        worst = failures[failures["rank"] == failures["rank"].value_counts().idxmax()]
        first = worst.iloc[0]
        examples = "; ".join(_as_json(raw.loc[worst["row"].head(_EXAMPLES)]))
        raise DataError(
            f"{self._described(name)}: {rejected} of {len(frame)} rows ({share:.1%}) break the data contract; "
            f"ingest.max_rejected_share allows {self._max_rejected_share:.1%}. Most of them: {first['reason']} "
            f"(column {first['column']}, {first['expectation']}, {len(worst)} rows), for example {examples}. "
            f"Nothing was written. Correct the export or its mapping {self._dataset.origin}."
        )

    def _described(self, name: str) -> str:
        return f"{name} (from {describe(self._dataset.tables.mapped()[name].source)})"


def rejected_by_reason(quarantine: pd.DataFrame) -> dict[str, int]:
    """Return how many rows were rejected for each reason; a row with several counts for the first."""
    counts = quarantine["reason"].str.split("; ").str[0].value_counts().sort_index()
    return {str(reason): int(count) for reason, count in counts.items()}


def _of(frame: pd.DataFrame, refers_to: Mapping[str, Ids], which: Callable[[Ids], pd.Series]) -> pd.Series:
    """Return bool[rows]: whether a row refers to a row that did not pass, and is among some of those."""
    found = pd.Series(False, index=frame.index)
    for column, ids in refers_to.items():
        found |= is_among(frame[column], which(ids)) & ~is_among(frame[column], ids.good)
    return found


def _unknown(frame: pd.DataFrame, refers_to: Mapping[str, Ids]) -> dict[str, pd.Series]:
    return {
        f"unknown_{column}": frame[column].mask(is_among(frame[column], ids.good)) for column, ids in refers_to.items()
    }


def _repair(name: str, frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    if name == "order_lines":  # equal lines are two purchases; they are added up once they are known to be good
        return frame, {}
    frame, repeated = drop_repeated(frame)
    repairs = {"repeated rows dropped": repeated}
    if name == "products":
        frame, repairs["titles taken from category or id"] = fill_titles(frame)
    return frame, repairs


def _filled(filled: Mapping[str, int]) -> dict[str, int]:
    return {f"missing {column} filled": count for column, count in filled.items()}


def _counted(repairs: Mapping[str, int]) -> dict[str, int]:
    return {repair: count for repair, count in repairs.items() if count}


def _quarantine(failures: pd.DataFrame, raw: pd.DataFrame) -> pd.DataFrame:
    by_row = failures.groupby("row", sort=True)
    first = by_row[["expectation", "column"]].first()
    reasons = by_row["reason"].agg("; ".join) if len(failures) else pd.Series(dtype=object)
    rows = first.assign(reason=reasons, row=_as_json(raw.loc[first.index]))
    return rows.reset_index(drop=True)[list(QUARANTINE_COLUMNS)]


def _as_json(rows: pd.DataFrame) -> list[str]:
    plain = rows.astype(object).where(rows.notna(), None)
    return [json.dumps(record, ensure_ascii=False, default=str) for record in plain.to_dict("records")]
