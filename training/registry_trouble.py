"""What a person should read when the registry fails, whatever library said it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from configs import Settings
from configs.errors import RegistryFailedError, TillwiseError
from configs.urls import without_password
from training.aliases import registry_uri

LOCKED = ("database is locked", "database table is locked", "deadlock detected", "lock timeout")
FULL = ("disk is full", "disk full", "No space left on device")
AWAY = ("Max retries exceeded", "Connection refused", "connection failed", "could not connect", "Name or service not")
DAMAGED = ("file is not a database", "disk image is malformed")
CLOSED = ("unable to open database file", "readonly database", "Permission denied")


@contextmanager
def in_registry(settings: Settings) -> Iterator[None]:
    """Turn whatever the registry's libraries raise in the block into one sentence; other errors pass through.

    Raises:
        RegistryFailedError: the registry is locked, full, damaged or out of reach.
    """
    try:
        yield
    except TillwiseError:
        raise
    except Exception as error:
        said = trouble(error)
        if said is None:
            raise
        where = without_password(registry_uri(settings))
        raise RegistryFailedError(f"The registry {where} {said}.") from error


def trouble(error: BaseException) -> str | None:
    """Return what is wrong with the registry, as the rest of a sentence; None if the error tells something else."""
    told = " ".join(str(link) for link in _chain(error))
    for signs, sentence in (
        (LOCKED, "is locked by another process: wait until that is done, and run the same command again"),
        (FULL, "has no room left: free some space where it lies, and run the same command again"),
        (DAMAGED, "is damaged: restore its database from a copy, or move it away and register again"),
        (CLOSED, "cannot be opened: check that its folder is there and may be written"),
        (AWAY, "does not answer: start it or check TILLWISE_REGISTRY__URI, and run the same command again"),
    ):
        if any(sign in told for sign in signs):
            return sentence
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
