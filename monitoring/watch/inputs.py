"""What models were asked about, out of the log: features of the product shown first, and how well answers fit."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs import Settings
from configs.home import replace_file
from events.record.shown import logged_exposures
from features.definitions import COLUMNS
from features.exposed import COLUMNS_DIGEST, unpack
from monitoring.watch.reading import Place

Floats = NDArray[np.float64]
SCORE = "score"
NAMES = (*COLUMNS, SCORE)
"""Columns: those of the ranker, of the product shown first, and the mean score of the products shown."""


@dataclass(frozen=True)
class Inputs:
    """Inputs of one answer a person.

    Attributes:
        values: float64[people, NAMES], NaN where not known. first_at, last: from which answer to which.
    """

    values: Floats
    first_at: float
    last: Place


def read_inputs(
    settings: Settings, package: str, people: int, *, after: Place, until: float, newest: bool
) -> Inputs | None:
    """Return the inputs of so many people, one answer each; None if there are not so many yet.

    Args:
        settings: whose log. package: that answered. people: how many.
        after, until: between which answers. newest: whether the newest people, or the first ones.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    found: dict[str, tuple[Place, Floats]] = {}
    for row in _rows(settings, package, after, until, newest):
        if row["unit"] not in found:
            found[row["unit"]] = (Place(row["at"], row["request_id"]), _values(row))
        if len(found) == people:
            break
    if len(found) < people:
        return None
    places = [place for place, _ in found.values()]
    return Inputs(np.stack([values for _, values in found.values()]), min(places).at, max(places))


def keep_inputs(path: Path, inputs: Inputs) -> None:
    """Write inputs; they name nobody."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = {"first_at": str(inputs.first_at), "at": str(inputs.last.at), "request_id": inputs.last.request_id}
    table = pa.table({name: inputs.values[:, column] for column, name in enumerate(NAMES)})
    with replace_file(path) as partial:
        pq.write_table(table.replace_schema_metadata(told), partial)


def kept_inputs(path: Path) -> Inputs | None:
    """Return the inputs in a file; None without one, or if it has other columns than features have by now."""
    if not path.exists():
        return None
    table = pq.read_table(path)
    if tuple(table.column_names) != NAMES:
        return None
    told = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    values = np.stack([np.asarray(table[name], np.float64) for name in NAMES], axis=1)
    return Inputs(values, float(told["first_at"]), Place(float(told["at"]), told["request_id"]))


def _rows(settings: Settings, package: str, after: Place, until: float, newest: bool) -> Iterator[dict[str, Any]]:
    """Yield what is needed of answers that the package ranked whole, in order or backwards."""
    since = 0.0 if after.at == float("-inf") else max(0.0, after.at)
    for table in logged_exposures(settings, newest_first=newest, since=since):
        exposure = table["exposure"].combine_chunks()
        told = {name: exposure.field(name) for name in ("model_version", "ranking_arm", "columns", "fallback")}
        at = pc.divide(pc.cast(table["occurred_at"].combine_chunks(), pa.int64()), 1e6)
        wanted = pc.and_(pc.equal(told["model_version"], package), pc.equal(told["columns"], COLUMNS_DIGEST))
        wanted = pc.and_(wanted, pc.equal(told["ranking_arm"], settings.monitoring.watch.ranking_arm))
        wanted = pc.and_(wanted, pc.and_(pc.is_null(told["fallback"]), pc.less_equal(at, until)))
        chosen = np.flatnonzero(np.asarray(pc.fill_null(wanted, False)))
        for number in chosen[::-1] if newest else chosen:
            row = {"at": float(at[number].as_py()), **_row(table, exposure, int(number))}
            if Place(row["at"], row["request_id"]) > after and not row["tried"]:
                yield row


def _row(table: pa.Table, exposure: pa.StructArray, number: int) -> dict[str, Any]:
    body = exposure[number].as_py()
    tried = (body["experiment"] or "").startswith("release-") and body["experiment_arm"] == "candidate"
    return {
        "request_id": table["request_id"][number].as_py(),
        "unit": table["unit"][number].as_py(),
        "tried": tried or not body["lines"],
        "features": body["features"],
        "scores": [line["score"] for line in body["lines"]],
    }


def _values(row: dict[str, Any]) -> Floats:
    try:
        features = unpack(row["features"], len(row["scores"]))[0].astype(np.float64)
    except (ValueError, zlib.error):  # not what it says it is: nothing is known of it
        features = np.full(len(COLUMNS), np.nan)
    values = np.append(features, np.mean(row["scores"]))
    values[~np.isfinite(values)] = np.nan
    return values
