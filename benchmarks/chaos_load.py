"""The load of `benchmarks.chaos`: requests at a steady rate whether answers come or not, and what was answered."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.wire import answer, request

CONNECTIONS = 16
MOST_IN_FLIGHT = 64
PATIENCE_SECONDS = 5.0
SESSIONS = 200
LARGEST_CART = 12

REQUESTS_PER_CONNECTION = 20
"""After which it is replaced by a new one, as balancers do: else a worker that came back would get nothing to do."""


@dataclass
class Connection:
    """An open connection, and how many requests it has carried."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request.

    Attributes:
        phase: during which it was due. due: seconds since the start.
        status: HTTP status; 0: no answer. served: arm, or arm and fallback step; the status if it is not 200.
        degraded: whether the answer was less than it could be.
        waited: seconds from when it was due. took: seconds from its last sending to its answer.
        again: whether it was sent a second time, since its connection broke before an answer.
    """

    phase: str
    due: float
    status: int
    served: str
    degraded: bool
    waited: float
    took: float
    again: bool


class Load:
    """Sends to 127.0.0.1 over a few kept-open connections, which are used in turn.

    Args:
        port: of the service. bodies: are sent in turn.
    """

    def __init__(self, port: int, bodies: Sequence[bytes]) -> None:
        self._port, self._requests = port, [request("POST", "/v1/recommendations", body) for body in bodies]
        self._free: asyncio.Queue[Connection | None] = asyncio.Queue()
        self._slots = asyncio.Semaphore(MOST_IN_FLIGHT)
        for _ in range(CONNECTIONS):
            self._free.put_nowait(None)
        self.phase = ""
        self.outcomes: list[Outcome] = []

    async def run(self, per_second: float, ended: asyncio.Event) -> None:
        """Send until it has ended; returns once everything is answered or given up."""
        started = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                if ended.is_set():
                    return
                due = started + number / per_second
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(self._one(self._requests[number % len(self._requests)], self.phase, started, due))

    async def close(self) -> None:
        """Close the connections."""
        while not self._free.empty():
            _close(self._free.get_nowait())

    async def _one(self, raw: bytes, phase: str, started: float, due: float) -> None:
        async with self._slots:
            again, sent = False, time.perf_counter()
            try:
                status, body = await self._ask(raw)
            except (OSError, EOFError):  # a killed worker takes its connections with it: any client has to try again
                again, sent = True, time.perf_counter()
                try:
                    status, body = await self._ask(raw, fresh=True)
                except (OSError, EOFError):
                    status, body = 0, b""
            now = time.perf_counter()
        self.outcomes.append(
            Outcome(phase, due - started, status, *_served(status, body), now - due, now - sent, again)
        )

    async def _ask(self, raw: bytes, *, fresh: bool = False) -> tuple[int, bytes]:
        """Send and return status and body of the answer, over the next free connection or a new one.

        Raises:
            OSError, EOFError: the connection broke, or nothing came in time.
        """
        connection = await self._free.get()
        if fresh:
            _close(connection)
            connection = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                connection = connection or Connection(*await asyncio.open_connection("127.0.0.1", self._port))
                connection.writer.write(raw)
                connection.used += 1
                return await answer(connection.reader)
        except (OSError, EOFError):
            _close(connection)
            connection = None
            raise
        finally:
            if connection is not None and connection.used >= REQUESTS_PER_CONNECTION:
                _close(connection)
                connection = None
            self._free.put_nowait(connection)


def bodies_of(products: Sequence[str], shoppers: Sequence[str], seed: int = 1) -> list[bytes]:
    """Return bodies as a shop's pages send them: most leave the cart to the session, half name the shopper."""
    return [json.dumps(body).encode() for body in _bodies(products, shoppers, random.Random(seed))]


def _bodies(products: Sequence[str], shoppers: Sequence[str], chance: random.Random) -> Iterator[dict[str, Any]]:
    for number in range(SESSIONS):
        body: dict[str, Any] = {"session_id": session_of(number), "k": 10}
        if number % 2:
            body["shopper_id"] = shoppers[number % len(shoppers)]
        if number % 3 == 0:
            size = min(len(products), chance.randint(1, LARGEST_CART))
            body["cart"] = [{"product_id": product} for product in chance.sample(products, size)]
        yield body


def session_of(number: int) -> str:
    """Return the name of a session."""
    return f"chaos-{number}"


def _served(status: int, body: bytes) -> tuple[str, bool]:
    if status != 200:
        return (str(status) if status else "no answer"), True
    told = json.loads(body)
    fallback = told["fallback"]
    if fallback is None:
        return told["arm"], False
    return f"{told['arm']} ({fallback['step']})", True


def _close(connection: Connection | None) -> None:
    if connection is not None:
        connection.writer.close()
