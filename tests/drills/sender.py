"""The client of a drill: sends batches over HTTP as Segment's clients do, each again until it is answered 200."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

import httpx

from events.contract import Event
from tests.drills.stream import call_of

CONNECTIONS = 4
ANSWER_SECONDS = 5.0
PAUSE_SECONDS = 0.1
PATIENCE_SECONDS = 240.0
"""Longest that one batch may take to be accepted; a crowded machine takes long to start a process again."""


class Sender:
    """Sends batches at a steady pace over several connections, while the block lasts.

    Attributes:
        accepted: events of the batches that were answered 200, in the order of the answers.
        refused: answers other than 200, and no answer.
    """

    def __init__(self, url: str, batches: Sequence[list[Event]], per_second: float) -> None:
        self._url = f"{url}/v1/batch"
        self._waiting: queue.SimpleQueue[tuple[float, list[Event]]] = queue.SimpleQueue()
        due = 0.0
        for batch in batches:
            self._waiting.put((due, batch))
            due += len(batch) / per_second
        self._threads = [threading.Thread(target=self._send_all) for _ in range(CONNECTIONS)]
        self._stopped = threading.Event()
        self.accepted: list[Event] = []
        self.refused = 0
        self.errors: list[str] = []

    def __enter__(self) -> Self:
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.wait()

    @property
    def sending(self) -> bool:
        """Whether something is still to be sent."""
        return any(thread.is_alive() for thread in self._threads)

    def wait(self) -> None:
        """Return once everything is accepted or given up."""
        for thread in self._threads:
            thread.join()

    def _send_all(self) -> None:
        with httpx.Client(timeout=ANSWER_SECONDS) as client:
            for due, batch in self._batches():
                self._stopped.wait(max(0.0, self._started + due - time.monotonic()))
                self._send(client, batch)

    def _batches(self) -> Iterator[tuple[float, list[Event]]]:
        while not self._stopped.is_set():
            try:
                yield self._waiting.get_nowait()
            except queue.Empty:
                return

    def _send(self, client: httpx.Client, batch: list[Event]) -> None:
        body = {"batch": [call_of(item) for item in batch]}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._stopped.is_set():
            said = self._answer(client, body, len(batch))
            if said is None:
                self.accepted.extend(batch)
                return
            self.refused += 1
            if time.monotonic() > deadline:
                self.errors.append(said)
                return
            self._stopped.wait(PAUSE_SECONDS)

    def _answer(self, client: httpx.Client, body: object, count: int) -> str | None:
        """Return None if the whole batch was accepted, else what was said."""
        try:
            answer = client.post(self._url, json=body)
        except httpx.HTTPError as error:
            return repr(error)
        if answer.status_code == httpx.codes.OK and answer.json()["accepted"] == count:
            return None
        if answer.status_code not in {httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE}:
            self.errors.append(f"{answer.status_code}: {answer.text[:500]}")
        return answer.text[:500]
