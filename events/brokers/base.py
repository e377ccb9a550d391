"""The port to a broker."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from events.contract import Event


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event as handed to a consumer; `token` acknowledges it, `attempts` counts how often it was handed out."""

    token: str
    event: Event
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Lag:
    """Events not yet taken by the group, and taken but not yet acknowledged."""

    waiting: int
    unacknowledged: int


class Broker(ABC):
    """A durable stream of events with one consumer group."""

    @abstractmethod
    async def publish(self, events: Sequence[Event]) -> None:
        """Append events, all or none, in order; returns once the broker has accepted them.

        Raises:
            PartError: the broker did not accept them; the caller must not confirm them.
        """

    @abstractmethod
    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """Return up to `limit` events for a consumer, oldest first; empty if none come within `wait_ms`.

        Events are handed out again after `reclaim` until acknowledged. Entries that cannot be decoded go to the
        dead letters and are not returned.
        """

    @abstractmethod
    async def reclaim(self, consumer: str, *, limit: int, idle_ms: int) -> list[Delivery]:
        """Return events that a consumer took at least `idle_ms` ago and never acknowledged, oldest first."""

    @abstractmethod
    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """Mark deliveries as done: they are never handed out again."""

    @abstractmethod
    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Move a delivery to the dead letters and acknowledge it, in one step."""

    @abstractmethod
    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """Keep an invalid call with the dead letters: its body, where it came to, what is wrong.

        Raises:
            PartError: the broker did not accept it.
        """

    @abstractmethod
    async def lag(self) -> Lag:
        """Return how far the group is behind."""

    @abstractmethod
    async def close(self) -> None:
        """Release connections; the broker may not be used afterwards."""
