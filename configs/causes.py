"""What is behind an error that a library raised, and the signs by which databases and servers are told to fail."""

from __future__ import annotations

from collections.abc import Iterator

LOCKED = (
    *("database is locked", "database table is locked"),  # SQLite
    *("could not obtain lock", "deadlock detected", "lock timeout"),  # PostgreSQL
)
FULL = ("disk is full", "disk full", "no space left on device")
DAMAGED = ("file is not a database", "disk image is malformed")
CLOSED = ("unable to open database file", "readonly database")
AWAY = (
    *("connection refused", "connection reset", "connection aborted", "connection failed", "could not connect"),
    *("max retries exceeded", "timed out", "no route to", "name or service not known"),
)
"""All in lower case."""


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what is behind it, the deepest last."""
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or link.__context__


def sign_of(error: BaseException, signs: tuple[str, ...]) -> str | None:
    """Return the first of the signs that the text of an error bears, or that of one behind it; None: none."""
    said = [str(link).lower() for link in causes(error)]
    return next((sign for sign in signs if any(sign in text for text in said)), None)
