"""The rules in force: read at start, followed while the file changes, replaced in one step or not at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from configs.errors import ConfigError
from features.context import ProductMatrix
from serving.ending import end
from serving.rules.compiled import CompiledRules
from serving.rules.load import RuleFile, read_rules

log = structlog.get_logger()

LOOK_SECONDS = 1.0
Stamp = tuple[int, ...]
"""What tells that a file is another one, or was written again."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A change of the file that does not fit: why, and the unix second of its refusal."""

    reason: str
    at: float


@dataclass(frozen=True)
class _InForce:
    """A file's rules, compiled for the models that serve or may serve again, the present one first."""

    file: RuleFile
    compiled: tuple[CompiledRules, ...]
    loaded_at: float


class RuleBook:
    """The rules of one file for the catalogue that serves. One instance a process.

    Args:
        path: of the file. matrix: the product side that serves.

    Attributes:
        refused: the newest change of the file, if it was refused.

    Raises:
        ConfigError: the file does not fit.
    """

    def __init__(self, path: Path, matrix: ProductMatrix) -> None:
        self._path, self._read = path, _stamp(path)
        file = read_rules(path)
        self._now = _InForce(file, (_compiled(file, matrix),), time.time())
        self._changing = threading.Lock()
        self.refused: Refused | None = None

    @property
    def version(self) -> str:
        """Version of the rules in force."""
        return self._now.file.version

    @property
    def loaded_at(self) -> float:
        """Unix seconds at which they were read."""
        return self._now.loaded_at

    def over(self, matrix: ProductMatrix) -> CompiledRules:
        """Return the rules in force over a catalogue.

        The first call for a new one compiles them, which takes milliseconds: make it before requests come.
        """
        now = self._now
        found = next((rules for rules in now.compiled if rules.matrix is matrix), None)
        if found is None:
            found = _compiled(now.file, matrix)
            # The champion, the one before, which may come back, and the challenger.
            self._put(now, replace(now, compiled=(found, *now.compiled[:2])))
        return found

    @asynccontextmanager
    async def followed(self, _: object = None) -> AsyncIterator[None]:
        """Look at the file every second while the block lasts."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            await end(task)

    def look(self, seen: Stamp) -> Stamp:
        """Take a changed file in, and return how it looks now. Reads and compiles: not for the event loop.

        A file is read once it looks the same twice, so that none is read half-written.

        Args:
            seen: how it looked the last time.
        """
        looks = _stamp(self._path)
        if looks != seen or looks == self._read:
            return looks
        self._read = looks
        try:
            file, now = read_rules(self._path), self._now
            compiled = tuple(_compiled(file, known.matrix) for known in now.compiled)
        except ConfigError as error:
            self.refused = Refused(str(error), time.time())
            log.error("rules refused; those before stay", reason=str(error), version=self.version)
            return looks
        self._put(self._now, _InForce(file, compiled, time.time()))
        self.refused = None
        log.info("rules changed", version=self.version)
        return looks

    def _put(self, expected: _InForce, new: _InForce) -> None:
        """Put new rules in force, unless others came meanwhile than were expected; a newer file always wins."""
        with self._changing:
            if self._now is expected or new.file is not expected.file:
                self._now = new

    async def _follow(self) -> None:
        seen = self._read
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                seen = await asyncio.to_thread(self.look, seen)
            except Exception:  # whatever goes wrong with one look, the next one comes
                log.exception("rules could not be looked at")


def _compiled(file: RuleFile, matrix: ProductMatrix) -> CompiledRules:
    rules = CompiledRules(file, matrix)
    if rules.unknown:
        log.warning("rules name what the catalogue does not hold", names=rules.unknown[:20], count=len(rules.unknown))
    return rules


def _stamp(path: Path) -> Stamp:
    """Return how the file looks; nothing if there is none."""
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)
