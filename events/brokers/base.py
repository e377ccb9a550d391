"""The port to a broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

from events.contract import Event

Source = Literal["collector", "consumer"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as handed to a consumer.

    Attributes:
        token: acknowledges it.
        event: what happened.
        attempts: how often it was handed out as far as the broker knows, this time included. Events that were only
            near one that ended its consumer are counted with it, so the number condemns nothing by itself.
    """

    token: str
    event: Event
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Lag:
    """Events not yet handed to the group, and handed out but not yet acknowledged."""

    waiting: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """What could not be taken.

    Attributes:
        id: names it to `forget`.
        at: unix seconds when it was put aside.
        source: the collector refused a call, or the consumer gave up on an event.
        reason, field: what was wrong, and where, if that is known.
        body: the call as it was sent, or the event as the broker carried it.
        endpoint: to which the call came; empty for the consumer's letters.
    """

    id: str
    at: float
    source: Source
    reason: str
    field: str
    body: bytes
    endpoint: str = ""


class Broker(ABC):
    """A durable stream of events, read by groups: each group gets every event, within a group each goes to one reader.

    Events of one session lie in one partition, in the order in which they were published. Whatever a method does, it
    raises PartError when the broker does not answer; after that it may be called again.
    """

    async def __aenter__(self) -> Self:
        """Return the broker, to be used while a block lasts."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self.close()

    @abstractmethod
    async def publish(self, events: Sequence[Event]) -> None:
        """Append events; returns once the broker has accepted all of them.

        Every group gets them, one that reads for the first time later as well.

        Raises:
            PartError: not all were accepted, be it that the broker does not answer or that too many wait already.
                Some may have been: whoever sends them again sends the same message ids.
        """

    @abstractmethod
    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """Return up to `limit` events for a consumer; empty if none come within `wait_ms`.

        `consumer` is a name that no other reader of the group has; brokers that tell readers apart by their
        connections do not need it.

        What was handed out and not acknowledged comes again: once its reader has ended or lost its connection, and
        after `events.reclaim_idle_ms` in any case. Entries that cannot be decoded go to the dead letters instead.
        """

    @abstractmethod
    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Mark deliveries as done: the group is not handed them again.

        Where a broker remembers only how far a partition is done (Kafka), that holds for another process once all
        earlier events of the partition are acknowledged as well.
        """

    @abstractmethod
    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Move a delivery to the dead letters: kept there first, acknowledged then."""

    @abstractmethod
    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """Keep a call that the collector refused; of these the newest `events.max_rejected_calls` or so stay."""

    @abstractmethod
    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """Return up to `limit` dead letters, oldest first; they stay."""

    @abstractmethod
    async def forget(self, ids: Sequence[str]) -> None:
        """Remove dead letters; an id that names none is ignored."""

    @abstractmethod
    async def lag(self) -> Lag:
        """Return how far the group is behind."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections; harmless when done before. The broker may not be used afterwards."""
