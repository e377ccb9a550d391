"""The rows of an experiment as arrays: one entry an exposure. Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.experiments.reading import EXPOSURE_COLUMNS, Rows

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Observed:
    """What was shown in an experiment and what came of it, in order of time.

    Attributes:
        request_ids: list[str]. arms: names of the arms, in order of name. arm: int32, index in `arms`.
        unit: int32, the person, numbered from 0. at: unix seconds. latency_ms: of the answer. cart_size: int64.
        fallback: whether the answer was degraded. explored: whether chance chose in it.
        clicked, attached: whether a product of it was clicked; was added or ordered.
        value, margin: money of the products of it that were ordered.
    """

    request_ids: list[str]
    arms: list[str]
    arm: NDArray[np.int32]
    unit: NDArray[np.int32]
    at: Floats
    latency_ms: Floats
    cart_size: NDArray[np.int64]
    fallback: Flags
    explored: Flags
    clicked: Flags
    attached: Flags
    value: Floats
    margin: Floats

    def __len__(self) -> int:
        return len(self.request_ids)

    @cached_property
    def people(self) -> int:
        """How many people took part."""
        return int(self.unit.max()) + 1 if self.unit.size else 0

    @cached_property
    def _seen(self) -> Flags:
        """bool[people, arms]: who was shown which arm."""
        seen = np.zeros((self.people, len(self.arms)), dtype=bool)
        seen[self.unit, self.arm] = True
        return seen

    @cached_property
    def astray(self) -> int:
        """How many people were shown more than one arm."""
        return int((self._seen.sum(axis=1) > 1).sum())

    @cached_property
    def faithful(self) -> Flags:
        """bool[exposures]: those of people who were shown a single arm."""
        alone: Flags = (self._seen.sum(axis=1) == 1)[self.unit]
        return alone


def observe(rows: Rows) -> Observed:
    """Return rows as arrays; the order in which the rows come changes nothing but the order of the entries."""
    columns: list[Sequence[Any]] = list(zip(*rows.exposures, strict=True)) or [()] * len(EXPOSURE_COLUMNS)
    ids, at, units, arm_names, fallback, cart_size, latency_ms, explored, _ = columns
    place = {request_id: number for number, request_id in enumerate(ids)}
    arms, arm = _coded(arm_names)
    ordered = [row for row in rows.ordered if row[2] > 0]
    bought = _placed(place, [row[0] for row in ordered])
    clicked = _placed(place, [row[0] for row in rows.touched if row[2]])
    attached = _placed(place, [request_id for request_id, _ in reached_pairs(rows)])
    return Observed(
        request_ids=list(ids),
        arms=arms,
        arm=arm,
        unit=_coded(units)[1],
        at=np.asarray(at, np.float64),
        latency_ms=np.asarray(latency_ms, np.float64),
        cart_size=np.asarray(cart_size, np.int64),
        fallback=np.array([reason is not None for reason in fallback], dtype=bool),
        explored=np.asarray(explored, bool),
        clicked=np.bincount(clicked, minlength=len(ids)) > 0,
        attached=np.bincount(attached, minlength=len(ids)) > 0,
        value=np.bincount(bought, [row[3] for row in ordered], len(ids)).astype(np.float64),
        margin=np.bincount(bought, [row[4] for row in ordered], len(ids)).astype(np.float64),
    )


def reached_pairs(rows: Rows) -> set[tuple[str, str]]:
    """Return (request_id, product_id) of the products that were added or ordered."""
    added = {(row[0], row[1]) for row in rows.touched if row[3]}
    return added | {(row[0], row[1]) for row in rows.ordered if row[2] > 0}


def _placed(place: Mapping[str, int], request_ids: Iterable[str]) -> NDArray[np.int64]:
    return np.array([place[request_id] for request_id in request_ids], dtype=np.int64)


def _coded(values: Sequence[str]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the distinct values in order, and each value's place among them."""
    names = sorted(set(values))
    number = {name: index for index, name in enumerate(names)}
    return names, np.array([number[value] for value in values], dtype=np.int32)
