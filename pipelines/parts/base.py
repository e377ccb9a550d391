"""What the supervisor asks of a part, whatever kind of process it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path

from pipelines.processes import last_lines


class Part(ABC):
    """One supervised process.

    Attributes:
        name: what messages call it.
        log: file that takes what it prints.
        deadline: seconds it may take from start to ready.
        after_ready: what has to be done once it is ready, after every start; None: nothing.
    """

    name: str
    log: Path
    deadline: float
    after_ready: Callable[[], None] | None = None

    @property
    @abstractmethod
    def pid(self) -> int | None:
        """Process id; None before the first start."""

    @abstractmethod
    def start(self) -> None:
        """Start it, the first time or again.

        Raises:
            TillwiseError: it cannot be started at all.
        """

    @abstractmethod
    def alive(self) -> bool:
        """Return whether its process runs."""

    @abstractmethod
    def ready(self) -> bool:
        """Return whether it does its work."""

    @abstractmethod
    def stop(self) -> None:
        """Ask it to end, insist if it does not, and return when it is gone. Stopping twice does nothing."""

    def last_words(self) -> str:
        """Return the end of its log in one line."""
        return last_lines(self.log)
