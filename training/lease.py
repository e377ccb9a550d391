"""A lease in the registry: of all machines that share one, a single one moves aliases at a time.

MLflow writes and reads tags, whatever database or server is behind it, but it does not compare and set. So who comes
first is found out by Lamport's bakery, in which everybody writes a tag of their own only: it says that a number is
being chosen, then which one, one above all that can be seen; the lowest number goes first. A tag counts until the
moment that it tells, so that whoever was killed holds nobody up for longer than that.

Source: Lamport (1974), A New Solution of Dijkstra's Concurrent Programming Problem, CACM 17(8).
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from configs.errors import RegistryBusyError
from configs.moments import moment
from training.decisions import who

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "moving."
"""With an id of whoever wrote it, the tag of the registered model."""
CLOCKS_APART_SECONDS = 5.0
"""The clocks of two machines may differ by so much: a tag counts for others so much longer than for its writer."""
LOOK_SECONDS = 0.25
"""Between two looks at whether it is our turn."""


@dataclass(frozen=True)
class Ticket:
    """What a tag says: the number (None: it is being chosen), whose it is, until when it counts (unix seconds)."""

    number: int | None
    by: str
    until: float

    @property
    def counts(self) -> bool:
        """Whether its writer may still be at work."""
        return time.time() < self.until + CLOCKS_APART_SECONDS


@contextmanager
def leased(client: MlflowClient, model: str, seconds: float) -> Iterator[Callable[[], None]]:
    """Be the only one who moves aliases of a registered model while the block lasts.

    Yields what is to be called before each step that must not be made by two: it has the lease last `seconds` from
    then on, and raises if it is over already.

    Args:
        client: of the registry. model: name of the registered model.
        seconds: that the lease lasts if its holder is killed; whoever comes next waits for its end.

    Raises:
        RegistryBusyError: somebody else holds it and does not let go, or this process was too slow to keep it.
    """
    lease = _Lease(client, model, seconds)
    try:
        lease.take()
        yield lease.keep
    finally:
        lease.give_back()


class _Lease:
    def __init__(self, client: MlflowClient, model: str, seconds: float) -> None:
        self._client, self._model, self._seconds = client, model, seconds
        self._key = f"{PREFIX}{uuid.uuid4().hex}"
        self._number: int | None = None
        self._ends = math.inf  # by the clock that nobody sets

    def take(self) -> None:
        """Wait for the lease; see `leased`."""
        patience = time.monotonic() + 2 * (self._seconds + CLOCKS_APART_SECONDS)
        self._write(None)
        self._write(1 + max((ticket.number or 0 for ticket in self._others().values()), default=0))
        while (first := self._ahead()) is not None:
            if time.monotonic() >= patience:
                raise RegistryBusyError(
                    f"Aliases of {self._model} are being moved by {first.by}, until {moment(first.until)} if it does "
                    "not end before: nothing was changed. Run the same command again then."
                )
            time.sleep(LOOK_SECONDS)
            if self._ends - time.monotonic() < self._seconds / 2:
                self.keep()
        for key, ticket in self._others().items():
            if not ticket.counts:  # of somebody who was killed
                self._client.delete_registered_model_tag(self._model, key)

    def keep(self) -> None:
        """Have the lease last from now on; see `leased`."""
        self._write(self._number)

    def give_back(self) -> None:
        """Let the next one go ahead; if the registry does not hear it, the lease ends by itself."""
        from mlflow.exceptions import MlflowException

        with contextlib.suppress(MlflowException):
            self._client.delete_registered_model_tag(self._model, self._key)

    def _write(self, number: int | None) -> None:
        """Write the tag; it is worth nothing if the one before it was over meanwhile, since others went ahead."""
        before, now = self._ends, time.monotonic()
        self._ends, self._number = now + self._seconds, number
        ticket = Ticket(number, f"{who()} (process {os.getpid()})", time.time() + self._seconds)
        self._client.set_registered_model_tag(self._model, self._key, json.dumps(asdict(ticket)))
        if time.monotonic() >= before:
            raise RegistryBusyError(
                f"This process was held up for more than {self._seconds:g} s while it moved an alias of {self._model}, "
                "so that others may have gone ahead (registry.lease_seconds): run the same command again."
            )

    def _ahead(self) -> Ticket | None:
        """Return who goes before us: the one whose tag counts the longest of them; None: nobody."""
        assert self._number is not None
        mine = (self._number, self._key)
        ahead = [
            ticket
            for key, ticket in self._others().items()
            if ticket.counts and (ticket.number is None or (ticket.number, key) < mine)
        ]
        return max(ahead, key=lambda ticket: ticket.until, default=None)

    def _others(self) -> dict[str, Ticket]:
        tags = self._client.get_registered_model(self._model).tags
        told = {key: text for key, text in tags.items() if key.startswith(PREFIX) and key != self._key}
        return {key: Ticket(**json.loads(text)) for key, text in told.items()}
