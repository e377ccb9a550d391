"""What a process was handed and has not acknowledged, for brokers that themselves hand out again only on its end."""

from __future__ import annotations

from dataclasses import replace

from events.brokers.base import Delivery


class InFlight:
    """Deliveries in the order in which they were handed out.

    Args:
        idle_ms: how long one may lie unacknowledged before it is handed out again.
    """

    def __init__(self, idle_ms: int) -> None:
        self._idle = idle_ms / 1000
        self._handed: dict[str, tuple[Delivery, float]] = {}

    def __len__(self) -> int:
        return len(self._handed)

    def __contains__(self, token: str) -> bool:
        return token in self._handed

    def add(self, delivery: Delivery, now: float) -> Delivery:
        """Remember that a delivery was handed out, and return it. `now` is in seconds of any one steady clock."""
        self._handed[delivery.token] = delivery, now
        return delivery

    def overdue(self, limit: int, now: float) -> list[Delivery]:
        """Return up to `limit` deliveries that have lain too long, as handed out once more."""
        late: list[Delivery] = []
        for delivery, since in self._handed.values():
            if now - since < self._idle or len(late) == limit:
                break
            late.append(replace(delivery, attempts=delivery.attempts + 1))
        for delivery in late:
            del self._handed[delivery.token]  # so that it goes to the end
            self.add(delivery, now)
        return late

    def remove(self, token: str) -> bool:
        """Return whether a delivery was in flight; it is not any more."""
        return self._handed.pop(token, None) is not None

    def clear(self) -> None:
        """Forget all: the broker hands them out by itself."""
        self._handed.clear()
