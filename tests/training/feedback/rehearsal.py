"""Answers and outcomes in a record, and what is learned of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from configs import Settings
from events.contract import Event, Line
from events.exposure import Shown
from features.definitions import COLUMNS
from features.exposed import COLUMNS_DIGEST, pack
from features.history import History, ingest_record, load_history
from features.windows import cut_windows
from tests.events.builders import NOW
from tests.events.record.support import Record, exposed, order, refund, seen
from training.examples import Examples
from training.feedback import Feedback, feedback_examples

DAY = 86_400.0


@dataclass
class Rehearsal:
    """What was shown beside the corner shop's baskets; `at`: seconds after NOW at which something is told."""

    settings: Settings
    record: Record
    rows: dict[str, NDArray[np.float32]] = field(default_factory=dict)

    @cached_property
    def history(self) -> History:
        """All orders."""
        return load_history(self.settings.work.data)

    @cached_property
    def as_of(self) -> int:
        """The cutoff of a model that is trained now."""
        zone = ingest_record(self.settings.work.data)["timezone"]
        return cut_windows(self.history, zone, self.settings.windows).as_of

    def answer(self, request: str, *products: str, at: float = 0.0, told: Any = None, **changes: Any) -> Event:
        """Return an answer that showed these products, ranked a day before the cutoff; `told` of the exposure."""
        lines = tuple(Shown(product, -float(place), 1.0) for place, product in enumerate(products))
        rng = np.random.default_rng(sum(request.encode()))
        self.rows[request] = rng.random((len(products), len(COLUMNS)), dtype=np.float32)
        facts = {"session_id": "s1", "at": NOW + at} | changes
        event = exposed(request, *lines, **facts)
        assert event.exposure is not None
        plain = {"fallback": None, "explored": False, "pool": (), "now": self.as_of - DAY, "columns": COLUMNS_DIGEST}
        body = plain | {"features": pack(self.rows[request]), "model_version": "v"} | (told or {})
        return replace(event, exposure=replace(event.exposure, **body))

    def learned(self, baskets: Examples | None = None, **changes: Any) -> Feedback:
        """Return what is learned of the record."""
        settings = self.settings
        if changes:
            settings = settings.model_copy(update={"feedback": settings.feedback.model_copy(update=changes)})
        return feedback_examples(settings, self.history, self.as_of, baskets or wide())


def wide() -> Examples:
    """Return baskets whose features range from 0 to 1 in every column."""
    features = np.stack([np.zeros(len(COLUMNS)), np.ones(len(COLUMNS))]).astype(np.float32)
    return Examples(features, np.array([0, 1], dtype=np.int8), np.array([2], dtype=np.int32), 1)


def taken(kind: str, product: str, request: str, message: str, at: float = 60.0) -> Event:
    """Return a click or an add of what an answer showed."""
    name = {"click": "Product Clicked", "add": "Product Added"}[kind]
    return seen(name, Line(product), at=NOW + at, message=message, request_id=request)


def bought(order_id: str, *products: str, at: float = 120.0) -> Event:
    """Return an order of the session."""
    return order(order_id, *(Line(product) for product in products), at=NOW + at, message=order_id)


def back(order_id: str, *products: str, at: float = 5 * DAY) -> Event:
    """Return what gives an order back."""
    lines = (Line(product) for product in products)
    return refund(order_id, *lines, at=NOW + at, message=f"back-{order_id}-{at}")
