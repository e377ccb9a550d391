"""One rules file, read at start and whenever it changed; what does not fit is refused, what it said before holds."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from configs.errors import ConfigError
from serving.rules.load import read_rules

log = structlog.get_logger()

Stamp = tuple[int, ...]
"""What tells that a file is another one, or was written again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A change of the file that does not fit: why, and the unix second of its refusal."""

    reason: str
    at: float


class FollowedFile:
    """A rules file as it is followed.

    Args:
        path: of the file.

    Attributes:
        file: what it said when it last fitted. refused: its newest change, if that does not fit.

    Raises:
        ConfigError: it does not fit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._read = _stamp(path)
        self.file = read_rules(path)
        self.refused: Refused | None = None

    def look(self) -> bool:
        """Read the file if it changed; return whether it says something new. Not for the event loop.

        A file is read once it looks the same twice, so that none is read half-written.
        """
        before, self._seen = self._seen, _stamp(self._path)
        if self._seen != before or self._seen == self._read:
            return False
        self._read = self._seen
        try:
            self.file = read_rules(self._path)
        except ConfigError as error:
            self.refused = Refused(str(error), time.time())
            log.error("rules refused; those before stay", reason=str(error), version=self.file.version)
            return False
        self.refused = None
        return True


def _stamp(path: Path) -> Stamp:
    """Return how the file looks; nothing if there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
