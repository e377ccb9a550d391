"""A Kafka producer that an event loop can await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from configs.errors import PartError

DELIVERY_MS = 8_000
"""Longest wait for a record to be accepted; within it the client retries by itself."""

LINGER_MS = 2
SERVE_SECONDS = 0.5
FLUSH_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Record:
    """What goes to a topic; a value of None is a tombstone."""

    topic: str
    partition: int
    key: str
    value: bytes | None


class ConfirmedProducer:
    """Idempotent, acknowledged by all replicas in sync; one thread waits for the confirmations.

    Args:
        config: of the connection.
    """

    def __init__(self, config: dict[str, Any]) -> None:
        ours = {"enable.idempotence": True, "acks": "all", "delivery.timeout.ms": DELIVERY_MS, "linger.ms": LINGER_MS}
        self._producer = Producer(config | ours)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="kafka-confirmations", daemon=True)
        self._thread.start()
        self.broken = False

    async def send(self, records: Sequence[Record]) -> None:
        """Return once all records are accepted.

        Raises:
            PartError: not all were.
        """
        if not records:
            return
        confirmations = _Confirmations(len(records), asyncio.get_running_loop())
        try:
            for record in records:
                self._producer.produce(
                    record.topic, record.value, record.key, record.partition, on_delivery=confirmations.take
                )
        except (BufferError, KafkaException) as error:
            raise PartError(f"Kafka did not accept the events ({error}).") from None
        refused = await confirmations.done
        if refused is not None:
            self.broken = refused.fatal()
            raise PartError(f"Kafka did not accept the events ({refused.str()}).")

    def close(self) -> None:
        """Wait a while for what is under way, and end the thread."""
        self._producer.flush(FLUSH_SECONDS)
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            self._producer.poll(SERVE_SECONDS)  # sleeps until there is a confirmation


class _Confirmations:
    """Counts the confirmations of one call; `done` holds the first error, None without one."""

    def __init__(self, awaited: int, loop: asyncio.AbstractEventLoop) -> None:
        self.done: asyncio.Future[KafkaError | None] = loop.create_future()
        self._loop, self._awaited = loop, awaited
        self._error: KafkaError | None = None

    def take(self, error: KafkaError | None, _: Message) -> None:
        """Take one; called by the thread that waits."""
        self._error = self._error or error
        self._awaited -= 1
        if self._awaited == 0 and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._finish)

    def _finish(self) -> None:
        if not self.done.done():  # whoever waited may have gone
            self.done.set_result(self._error)
