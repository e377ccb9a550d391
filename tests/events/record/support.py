"""A record to write to, a broker in memory that redelivers, and builders of what is recorded."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from sqlalchemy import Table, select

from configs import load_settings
from events.brokers.base import Broker, DeadLetter, Delivery, Lag
from events.contract import Event, Line, OrderFacts
from events.exposure import EXPOSED, Exposure, Shown, message_id
from events.record import parquet
from events.record.database import migrate, open_database
from events.record.log import compact, flush, log_folder, read_log
from events.record.writer import Writer
from events.record.writing import record_events
from tests.events.builders import NOW

DAY = 86_400.0
TODAY = datetime.fromtimestamp(NOW, UTC).date()
LATER = NOW + 10 * DAY
"""When every day of the tests is closed."""


class Record:
    """The system of record in a folder of its own."""

    def __init__(self, home: Path, url: str | None = None, **settings: Any) -> None:
        self.settings = load_settings(home=home, record={"database_url": url, **settings})
        self.folder = log_folder(self.settings)
        self.engine = open_database(self.settings, write=True)
        migrate(self.engine)

    def store(self, *events: Event) -> None:
        """Write events in one transaction."""
        with self.engine.begin() as connection:
            record_events(connection, events, NOW)

    def flush(self) -> int:
        """Move the tail to files."""
        return flush(self.engine, self.folder)

    def compact(self) -> None:
        """Compact every day."""
        compact(self.folder, LATER)

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """Return a table's rows in order of their key."""
        with self.engine.begin() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings()
            return [dict(row) for row in found]

    def log(self) -> pa.Table:
        """Return the whole event log."""
        return read_log(self.engine, self.folder)

    def files(self) -> list[Path]:
        """Return every file of the log."""
        return sorted(self.folder.glob("day=*/*"))


NOT_A_WRITERS = "a writer of the record only reads, acknowledges and buries"


class MemoryBroker(Broker):
    """Hands out what was published until it is acknowledged, in any order and several times over."""

    def __init__(self, events: Sequence[Event], seed: int = 0) -> None:
        self._waiting = deque(Delivery(str(number), event) for number, event in enumerate(events))
        self._chance = random.Random(seed)
        self.open = {item.token: item for item in self._waiting}
        self.buried: list[tuple[Event, str]] = []

    async def publish(self, events: Sequence[Event]) -> None:
        raise AssertionError(NOT_A_WRITERS)

    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        if not self._waiting:
            self._waiting.extend(self._chance.sample(list(self.open.values()), len(self.open)))
        return [self._waiting.popleft() for _ in range(min(limit, len(self._waiting)))]

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        for item in deliveries:
            self.open.pop(item.token, None)

    async def bury(self, delivery: Delivery, reason: str) -> None:
        self.buried.append((delivery.event, reason))
        await self.acknowledge([delivery])

    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        raise AssertionError(NOT_A_WRITERS)

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        raise AssertionError(NOT_A_WRITERS)

    async def forget(self, ids: Sequence[str]) -> None:
        raise AssertionError(NOT_A_WRITERS)

    async def lag(self) -> Lag:
        return Lag(len(self._waiting), len(self.open))

    async def close(self) -> None:
        raise AssertionError(NOT_A_WRITERS)


def drain(record: Record, broker: MemoryBroker) -> Writer:
    """Let a writer work until the broker holds nothing more."""

    async def inside() -> Writer:
        writer = Writer(record.settings, broker, record.engine)
        while broker.open:
            await writer.step()
        return writer

    return asyncio.run(inside())


def order(order_id: str = "o1", *lines: Line, at: float = NOW, message: str = "m", **changes: Any) -> Event:
    """Return an Order Completed event."""
    facts: dict[str, Any] = {"shopper_id": "u1", "anonymous_id": "a1", "context": {"channel": "web"}}
    return Event(
        message,
        "track",
        "Order Completed",
        "s1",
        occurred_at=at,
        lines=lines or (Line("p1", 2.0, 1.5, 0.5),),
        received_at=at,
        order=OrderFacts(order_id, 3.0, 0.5, "EUR", None),
        **(facts | changes),
    )


def refund(order_id: str = "o1", *lines: Line, at: float = NOW, message: str = "m", **changes: Any) -> Event:
    """Return an Order Refunded event; of the whole order if no line is given."""
    facts: dict[str, Any] = {"shopper_id": "u1", "anonymous_id": None, "session_id": "u1", "received_at": at} | changes
    told = OrderFacts(order_id, 3.0, 0.0, "EUR", None)
    return Event(message, "refund", "Order Refunded", occurred_at=at, lines=lines, order=told, **facts)


def seen(name: str, *lines: Line, at: float = NOW, message: str = "m", **changes: Any) -> Event:
    """Return an event about products in a list."""
    facts: dict[str, Any] = {"shopper_id": None, "received_at": at, "request_id": "r1", "list_id": "block"}
    return Event(message, "track", name, "s1", occurred_at=at, lines=lines, **(facts | changes))


def exposed(request: str = "r1", *lines: Shown, at: float = NOW, unit: str = "u1", **changes: Any) -> Event:
    """Return the event that tells what an answer showed; of a request without a session if none is given."""
    facts: dict[str, Any] = {"session_id": request, "shopper_id": None, "checkout_step": 3}
    exposure = Exposure(
        unit=unit,
        experiment="winter",
        experiment_arm="value",
        ranking_arm="value",
        model_version="0123456789ab",
        rules_version=None,
        fallback=None,
        now=at - 0.25,
        latency_ms=2.5,
        cart=("p8", "p9"),
        explored=True,
        lines=lines or (Shown("p1", 0.5, 1.0, 2.5, 1.25), Shown("p2", 0.25, 0.1)),
        pool=(("p3", 0.125),),
        shadow={"neural": ("p2", "p1")},
        columns="c0ffee",
        features=b"\x78\x01",
        shadow_ms={"neural": 1.5},
    )
    told = facts | {"name": EXPOSED, "occurred_at": at, "received_at": at, "request_id": request} | changes
    return Event(message_id(request), "exposure", exposure=exposure, **told)


def received(message: str, day: float = 0.0, at: float = NOW) -> Event:
    """Return an event that was received so many days later."""
    return seen("Product Added", Line("p"), message=message, at=at, received_at=NOW + day * DAY)


def ids(table: pa.Table) -> list[str]:
    return sorted(table["message_id"].to_pylist())


def write(folder: Path, *messages: str) -> Path:
    return parquet.write_part(folder, TODAY, [parquet.as_table([received(message) for message in messages])])


FILE_STEPS: tuple[tuple[Any, str], ...] = ((parquet, "_sync"), (Path, "rename"), (Path, "unlink"))
"""Where files of the log are changed."""


def die_after(patch: pytest.MonkeyPatch, steps: int, *places: tuple[Any, str]) -> None:
    """Have all calls of these functions but the first `steps` raise KeyboardInterrupt, as if the process was killed."""
    left = steps

    def counted(operation: Callable[..., Any]) -> Callable[..., Any]:
        def inside(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            if left == 0:
                raise KeyboardInterrupt
            left -= 1
            return operation(*arguments, **named)

        return inside

    for owner, name in places:
        patch.setattr(owner, name, counted(getattr(owner, name)))
