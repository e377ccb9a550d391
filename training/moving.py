"""The right to move aliases: one process of a work folder has it at a time, and one of the machines on one registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from configs import Settings
from configs.lock import exclusive
from training.lease import leased
from training.registry import registry_client

PATIENCE_SECONDS = 60.0
"""How long a move waits for another one of the same work folder, which takes seconds."""


@contextmanager
def moving(settings: Settings) -> Iterator[Callable[[], None]]:
    """Have the right to move an alias, or to take it away, while the block lasts.

    Yields what is to be called right before that is done: it raises if the right was lost meanwhile. A registry of the
    work folder's own needs a lock in the folder only, which its holder cannot lose.

    Raises:
        AlreadyRunningError: another process of this work folder has it. RegistryBusyError: another machine, or this
        process was held up for too long.
    """
    lock = settings.work.run / "aliases.lock"
    with exclusive(lock, what="A move of an alias", patience=PATIENCE_SECONDS):
        if settings.registry.uri is None:
            yield lambda: None
            return
        with leased(registry_client(settings), settings.registry.model_name, settings.registry.lease_seconds) as keep:
            yield keep
