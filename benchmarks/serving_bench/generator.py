"""The load generator: a process of its own on plain sockets and the standard library, so that it costs little.

    python -m benchmarks.serving_bench.generator < order.json > outcome.json

An order has `port`, `requests` (raw HTTP, as Latin-1 text), `connections`, `seconds` and `rate`. With a rate the loop
is open: request n is due at n / rate, whether answers have come or not, and its latency counts from that moment, so
that a slow answer cannot hide the requests it kept waiting (Tene, "How NOT to measure latency", 2015). With rate 0 the
loop is closed: each connection asks again as soon as it is answered.
"""

from __future__ import annotations

import contextlib
import gc
import json
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 15.0
NO_FALLBACK = b'"fallback":null'
SUCCESSES = (200, 204)
FAILED = 0
"""Stands for the status of a request that got no answer."""


@dataclass
class Outcome:
    """What came of a load.

    Attributes:
        milliseconds: of each request that succeeded, from when it was due (closed loop: sent) to its whole answer.
        lag: milliseconds by which the generator itself sent late, though a connection was free.
        statuses: how many answers had each status; "0" is none at all.
        fallbacks: successes that name a fallback. seconds: from the first request to the last answer.
    """

    milliseconds: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)
    fallbacks: int = 0
    seconds: float = 0.0


class Connection:
    """One kept-open connection with at most one request under way."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = self._open()
        self._received = bytearray()
        self.due = self.free_at = time.perf_counter()

    def _open(self) -> socket.socket:
        opened = socket.create_connection(("127.0.0.1", self._port), timeout=PATIENCE_SECONDS)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened

    def fileno(self) -> int:
        """Return what `select` waits for."""
        return self.socket.fileno()

    def send(self, request: bytes, due: float) -> None:
        """Send a request; one that cannot be sent counts as lost when the answer is looked for."""
        self.due = due
        self._received.clear()
        with contextlib.suppress(OSError):  # closed by the server: `answer` will see that as well
            self.socket.sendall(request)

    def answer(self) -> tuple[int, bytes] | None:
        """Return (status, body) once the whole answer has come, None before; status `FAILED` if it never will."""
        try:
            piece = self.socket.recv(1 << 18)
        except OSError:
            piece = b""
        if not piece:
            self.reopen()
            return FAILED, b""
        self._received += piece
        head, _, body = self._received.partition(b"\r\n\r\n")
        if len(body) < _length(bytes(head)):
            return None
        return int(head.split(b" ", 2)[1]), bytes(body)

    def reopen(self) -> None:
        """Start afresh after a connection was lost."""
        self.close()
        self.socket = self._open()

    def close(self) -> None:
        """Let go of it."""
        self.socket.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.split(b":")[1])
    return 0


def run(port: int, requests: Sequence[bytes], connections: int, seconds: float, rate: float) -> Outcome:
    """Load a port on this machine and return what came of it."""
    idle = deque(Connection(port) for _ in range(connections))
    busy: list[Connection] = []
    outcome, started, number = Outcome(), time.perf_counter(), 0
    planned = int(seconds * rate) if rate else None
    while True:
        now = time.perf_counter()
        due = started + number / rate if rate else now
        more = number < planned if planned is not None else now < started + seconds
        if not more and not busy:
            break
        if more and due <= now and idle:
            connection = idle.popleft()
            connection.send(requests[number % len(requests)], due)
            outcome.lag.append(1e3 * (time.perf_counter() - max(due, connection.free_at)))
            busy.append(connection)
            number += 1
            continue
        patience = due - now if more and idle else PATIENCE_SECONDS
        _receive(busy, idle, outcome, max(0.0, patience))
    outcome.seconds = time.perf_counter() - started
    for connection in idle:
        connection.close()
    return outcome


def _receive(busy: list[Connection], idle: deque[Connection], outcome: Outcome, patience: float) -> None:
    ready = select.select(busy, (), (), patience)[0]
    now = time.perf_counter()
    for connection in ready:
        found = connection.answer()
        if found is not None:
            _count(outcome, found, 1e3 * (now - connection.due))
            _release(connection, busy, idle)
    for connection in [lost for lost in busy if now - lost.due > PATIENCE_SECONDS]:
        connection.reopen()
        _count(outcome, (FAILED, b""), 0.0)
        _release(connection, busy, idle)


def _release(connection: Connection, busy: list[Connection], idle: deque[Connection]) -> None:
    busy.remove(connection)
    connection.free_at = time.perf_counter()
    idle.append(connection)  # in turn, so that none is idle for so long that the server closes it


def _count(outcome: Outcome, found: tuple[int, bytes], milliseconds: float) -> None:
    status, body = found
    outcome.statuses[str(status)] = outcome.statuses.get(str(status), 0) + 1
    if status in SUCCESSES:
        outcome.milliseconds.append(milliseconds)
        outcome.fallbacks += b'"fallback":' in body and NO_FALLBACK not in body


def main() -> None:
    """Carry out the order on standard input."""
    order: dict[str, Any] = json.load(sys.stdin)
    order["requests"] = [raw.encode("latin-1") for raw in order["requests"]]
    gc.disable()  # for at most a minute; a collection would show as latency
    json.dump(vars(run(**order)), sys.stdout)


if __name__ == "__main__":
    main()
