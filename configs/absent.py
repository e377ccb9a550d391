"""Importing a library without those that it only takes along."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def absent(*names: str) -> Iterator[None]:
    """Let packages, unless they are loaded already, be as if they were not installed while the block runs.

    For libraries that import others in case somebody uses both, and do without them where they are missing. Whoever
    imports such a package after the block gets it as ever.
    """
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]  # how the import system spells it
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
