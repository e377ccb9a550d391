"""A shop whose record is written by hand: what was shown, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Table, insert

from configs import Settings, load_settings
from events.contract import Event, Line
from events.record import tables
from tests.events.builders import NOW
from tests.events.record.support import Record, order, seen

EXPERIMENT = "e1"
KIND = {"click": "Product Clicked", "add": "Product Added", "impression": "Product List Viewed"}
NEUTRAL: dict[type, Any] = {str: "", float: 0.0, int: 0, bool: False}
"""What a column holds that must hold something and that nothing was said about."""


def whole(table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of all columns."""
    required = {column.name: NEUTRAL[column.type.python_type] for column in table.c if not column.nullable}
    return dict.fromkeys(table.c.keys()) | required | dict(row)


class Shop:
    """A record to which exposures and outcomes are written."""

    def __init__(self, record: Record, **watched: Any) -> None:
        self.record = record
        url = record.settings.record.database_url
        told = None if url is None else url.get_secret_value()
        self.settings: Settings = load_settings(
            home=record.settings.home, record={"database_url": told}, monitoring=watched
        )

    def shows(self, *answers: tuple[dict[str, Any], Sequence[dict[str, Any]]]) -> None:
        """Write answers: a row of `exposures`, and those of `exposure_lines`."""
        with self.record.engine.begin() as connection:
            connection.execute(insert(tables.exposures), [whole(tables.exposures, row) for row, _ in answers])
            lines = [whole(tables.exposure_lines, line) for _, lines in answers for line in lines]
            if lines:
                connection.execute(insert(tables.exposure_lines), lines)

    def does(self, kind: str, *products: str, message: str, at: float = NOW + 60, **changes: Any) -> None:
        """Write what `done` returns."""
        self.record.store(done(kind, *products, message=message, at=at, **changes))

    def orders(self, order_id: str, *lines: Line, at: float = NOW + 120, session: str = "s1") -> None:
        """Write what `bought` returns."""
        self.record.store(bought(order_id, *lines, at=at, session=session))


def done(kind: str, *products: str, message: str, at: float, session: str = "s1", **changes: Any) -> Event:
    """Return a click, an add or an impression, without a request's id unless one is told."""
    facts: dict[str, Any] = {"request_id": None} | changes
    event = seen(KIND[kind], *(Line(product) for product in products), at=at, message=message, **facts)
    return replace(event, session_id=session)


def bought(order_id: str, *lines: Line, at: float, session: str) -> Event:
    """Return an order."""
    return replace(order(order_id, *lines, at=at, message=order_id), session_id=session)


def answer(
    request_id: str,
    *products: str,
    at: float = NOW,
    session: str | None = "s1",
    unit: str = "u1",
    arm: str | None = "control",
    propensities: Sequence[float | None] = (),
    shadow: Mapping[str, Sequence[str]] | None = None,
    price: float | None = 2.0,
    worth: float | None = 0.5,
    **changes: Any,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return what shows these products, best first."""
    row: dict[str, Any] = {
        "request_id": request_id,
        "at": at,
        "session_id": session,
        "unit": unit,
        "experiment": EXPERIMENT if arm is not None else None,
        "experiment_arm": arm,
        "latency_ms": 3.0,
        "shadow": None if shadow is None else json.dumps(shadow),
    }
    lines = [
        {
            "request_id": request_id,
            "position": position,
            "product_id": product,
            "propensity": propensities[position] if propensities else None,
            "price": price,
            "worth": worth,
        }
        for position, product in enumerate(products)
    ]
    return row | changes, lines
