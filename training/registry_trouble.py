"""What a person should read when the registry fails, whatever library said it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from configs import Settings
from configs.causes import AWAY, CLOSED, DAMAGED, FULL, LOCKED, sign_of
from configs.errors import RegistryBusyError, RegistryFailedError, TillwiseError
from configs.urls import without_password
from training.aliases import registry_uri

AGAIN = "and run the same command again"
_KNOWN: tuple[tuple[type[RegistryFailedError], tuple[str, ...], str], ...] = (
    (RegistryBusyError, LOCKED, f"is locked by another process: wait until that is done, {AGAIN}"),
    (RegistryFailedError, FULL, f"has no room left: free some space where it lies, {AGAIN}"),
    (RegistryFailedError, DAMAGED, "is damaged: restore its database from a copy, or move it away and register again"),
    (
        RegistryFailedError,
        (*CLOSED, "permission denied"),
        "cannot be opened: check that its folder is there and may be written",
    ),
    (RegistryBusyError, AWAY, f"does not answer: start it or check TILLWISE_REGISTRY__URI, {AGAIN}"),
)


@contextmanager
def in_registry(settings: Settings) -> Iterator[None]:
    """Turn whatever the registry's libraries raise in the block into one sentence; other errors pass through.

    Raises:
        RegistryFailedError: the registry is full or damaged; RegistryBusyError: it is locked or out of reach, so that
            whoever may try again does.
    """
    try:
        yield
    except TillwiseError:
        raise
    except Exception as error:
        found = trouble(error)
        if found is None:
            raise
        kind, said = found
        raise kind(f"The registry {without_password(registry_uri(settings))} {said}.") from error


def trouble(error: BaseException) -> tuple[type[RegistryFailedError], str] | None:
    """Return what to raise and the rest of its sentence; None if nothing is wrong with the registry."""
    return next(((kind, says) for kind, signs, says in _KNOWN if sign_of(error, signs) is not None), None)
