"""Logged exposures as arrays: those that can be learned from, and how many others there are by reason."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from features.definitions import COLUMNS
from features.exposed import COLUMNS_DIGEST, unpack

Floats = NDArray[np.float64]

OTHER_MOMENT = "ranked for a moment outside the window that is learned from"
DEGRADED = "degraded answers"
NO_FEATURES = "no features were logged"
OTHER_COLUMNS = "features of other columns than this code's"
NO_PROPENSITY = "the chance to be shown is not known"
HELD_BACK = "of shoppers that are held back to validate on"


@dataclass(frozen=True)
class Exposures:
    """What was shown, one entry an exposure or, where said, a row: a product of one, best place first.

    Attributes:
        request_ids, versions: list[str], the request and the model that answered. explored: bool, whether chance ruled.
        group: int64, rows of each exposure, in order.
        products: list[str], one a row. place: int64[rows], from 0. score, propensity: float64[rows].
        features: float32[rows, columns], as they were scored. skipped: exposures left out, by reason.
    """

    request_ids: list[str]
    versions: list[str]
    explored: NDArray[np.bool_]
    group: NDArray[np.int64]
    products: list[str]
    place: NDArray[np.int64]
    score: Floats
    propensity: Floats
    features: NDArray[np.float32]
    skipped: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.request_ids)

    @property
    def exposure(self) -> NDArray[np.int64]:
        """int64[rows], the exposure of each row, from 0."""
        return np.repeat(np.arange(len(self)), self.group)

    @property
    def by_chance(self) -> NDArray[np.bool_]:
        """bool[rows], whether chance could have shown something else there."""
        found: NDArray[np.bool_] = self.propensity < 1.0
        return found

    def only(self, kept: NDArray[np.bool_], reason: str) -> Exposures:
        """Return the exposures of bool[exposures]; the others count as skipped for a reason."""
        if kept.all():
            return self
        rows = kept[self.exposure]
        return Exposures(
            [name for name, keep in zip(self.request_ids, kept, strict=True) if keep],
            [name for name, keep in zip(self.versions, kept, strict=True) if keep],
            self.explored[kept],
            self.group[kept],
            [name for name, keep in zip(self.products, rows, strict=True) if keep],
            self.place[rows],
            self.score[rows],
            self.propensity[rows],
            self.features[rows],
            self.skipped | {reason: self.skipped.get(reason, 0) + int((~kept).sum())},
        )


def exposures_of(rows: pa.Table, since: float, until: float, apart: Collection[str]) -> Exposures:
    """Return the exposures among rows of the event log that can be learned from, in the order of the rows.

    Args:
        rows: of the kind exposure; columns as `events.record.parquet.SCHEMA`.
        since, until: unix seconds: ranked for a moment at or after the one, before the other.
        apart: ids of shoppers that nothing is to be learned from.
    """
    told = rows["exposure"].combine_chunks()
    skipped: dict[str, int] = {}
    kept = np.ones(len(rows), dtype=bool)
    for reason, unfit in _unfit(rows, told, since, until, apart).items():
        wrong = kept & unfit
        if wrong.any():
            skipped[reason] = int(wrong.sum())
        kept &= ~unfit
    rows, told = rows.filter(pa.array(kept)), told.filter(pa.array(kept))
    lines = pc.struct_field(told, "lines")
    group = pc.list_value_length(lines).to_numpy(zero_copy_only=False).astype(np.int64)
    shown = lines.flatten()
    packed = pc.struct_field(told, "features").to_pylist()
    blocks = [unpack(raw, size) for raw, size in zip(packed, group.tolist(), strict=True)]
    return Exposures(
        rows["request_id"].to_pylist(),
        pc.struct_field(told, "model_version").to_pylist(),
        _flags(pc.struct_field(told, "explored")),
        group,
        pc.struct_field(shown, "product_id").to_pylist(),
        np.arange(group.sum()) - np.repeat(np.cumsum(group) - group, group),
        _floats(pc.struct_field(shown, "score")),
        _floats(pc.struct_field(shown, "propensity")),
        np.concatenate([np.empty((0, len(COLUMNS)), dtype=np.float32), *blocks]),
        skipped,
    )


def _unfit(
    rows: pa.Table, told: pa.StructArray, since: float, until: float, apart: Collection[str]
) -> dict[str, NDArray[np.bool_]]:
    """Return by reason bool[exposures] of those that cannot be learned from."""
    now, columns = _floats(pc.struct_field(told, "now")), pc.struct_field(told, "columns")
    lines = pc.struct_field(told, "lines")
    of_line = pc.list_parent_indices(lines).to_numpy(zero_copy_only=False)
    without = _flags(pc.is_null(pc.struct_field(lines.flatten(), "propensity")))
    return {
        OTHER_MOMENT: (now < since) | (now >= until),
        HELD_BACK: _flags(pc.is_in(rows["shopper_id"], pa.array(apart, pa.string()), skip_nulls=True)),
        DEGRADED: _flags(pc.is_valid(pc.struct_field(told, "fallback"))),
        NO_FEATURES: _flags(pc.equal(columns, "")),
        OTHER_COLUMNS: _flags(pc.not_equal(columns, COLUMNS_DIGEST)),
        NO_PROPENSITY: np.bincount(of_line, without, len(rows)) > 0,
    }


def _floats(values: pa.Array) -> Floats:
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _flags(values: pa.Array | pa.ChunkedArray) -> NDArray[np.bool_]:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)
