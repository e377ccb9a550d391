"""Remembering what was worked out lately, with no bookkeeping: once there is too much of it, all is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Name = TypeVar("Name")
Found = TypeVar("Found")


class Lately(dict[Name, Found]):
    """Values by name, each worked out when it is first asked for.

    Args:
        work_out: name → value; what it raises is raised, and nothing is remembered. most: values at a time.
    """

    def __init__(self, work_out: Callable[[Name], Found], most: int) -> None:
        super().__init__()
        self._work_out, self._most = work_out, most

    def __missing__(self, name: Name) -> Found:
        found = self._work_out(name)
        if len(self) >= self._most:
            self.clear()
        self[name] = found
        return found
