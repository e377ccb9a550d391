"""The rules in force: read at start, followed while their files change, replaced in one step or not at all."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from features.context import ProductMatrix
from serving.ending import end
from serving.rules.compiled import CompiledRules
from serving.rules.followed import FollowedFile, Refused
from serving.rules.load import RuleFile

log = structlog.get_logger()

LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class _Compiled:
    """All rules over one catalogue: the shop's, and those of the arms that have some of their own."""

    matrix: ProductMatrix
    shop: CompiledRules
    arms: Mapping[str, CompiledRules]


@dataclass(frozen=True)
class _InForce:
    """What the files say, compiled for the models that serve or may serve again, the present one first."""

    shop: RuleFile
    arms: Mapping[str, RuleFile]
    compiled: tuple[_Compiled, ...]
    loaded_at: float

    def over(self, matrix: ProductMatrix) -> _Compiled:
        """Return the same rules over another catalogue."""
        return _Compiled(
            matrix, _compiled(self.shop, matrix), {arm: _compiled(file, matrix) for arm, file in self.arms.items()}
        )


class RuleBook:
    """The shop's rules for the catalogue that serves, and those of experiments' arms. One instance a process.

    An arm's file tells parts of the rules. Each takes the place of the shop's part; all other parts are the shop's, so
    that what the shop excludes by law holds in every arm that does not say otherwise.

    Args:
        path: of the shop's file. matrix: the product side that serves. arms: arm → its own file.

    Raises:
        ConfigError: a file does not fit.
    """

    def __init__(self, path: Path, matrix: ProductMatrix, arms: Mapping[str, Path] | None = None) -> None:
        self._shop = FollowedFile(path)
        self._arms = {arm: FollowedFile(own) for arm, own in (arms or {}).items()}
        self._now = self._read([matrix])
        self._changing = threading.Lock()

    @property
    def version(self) -> str:
        """Version of the shop's rules in force."""
        return self._now.shop.version

    @property
    def arms(self) -> Mapping[str, str]:
        """Versions of the rules in force by the arm that has some of its own: made of the shop's and its own."""
        return {arm: file.version for arm, file in self._now.arms.items()}

    @property
    def loaded_at(self) -> float:
        """Unix seconds at which they were read."""
        return self._now.loaded_at

    @property
    def refused(self) -> Refused | None:
        """The newest change of a file, if it was refused: of the shop's, else of an arm's."""
        return next((one.refused for one in (self._shop, *self._arms.values()) if one.refused is not None), None)

    def over(self, matrix: ProductMatrix, arm: str | None = None) -> CompiledRules:
        """Return the rules in force over a catalogue: the arm's if it has some of its own, else the shop's.

        The first call for a new one compiles them, which takes milliseconds: make it before requests come.
        """
        now = self._now
        found = next((rules for rules in now.compiled if rules.matrix is matrix), None)
        if found is None:
            found = now.over(matrix)
            # The champion, the one before, which may come back, and the challenger.
            self._put(now, replace(now, compiled=(found, *now.compiled[:2])))
        return found.shop if arm is None else found.arms.get(arm, found.shop)

    @asynccontextmanager
    async def followed(self, _: object = None) -> AsyncIterator[None]:
        """Look at the files every second while the block lasts."""
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            await end(task)

    def look(self) -> None:
        """Take changed files in. Reads and compiles: not for the event loop."""
        changed = [one for one in (self._shop, *self._arms.values()) if one.look()]
        if changed:
            now = self._now
            self._put(now, self._read([known.matrix for known in now.compiled]))
            log.info("rules changed", version=self.version, arms=self.arms)

    def _read(self, matrices: list[ProductMatrix]) -> _InForce:
        """Return what the files said when they last fitted, over these catalogues."""
        shop = self._shop.file
        read = _InForce(shop, {arm: one.file.over(shop) for arm, one in self._arms.items()}, (), time.time())
        return replace(read, compiled=tuple(read.over(matrix) for matrix in matrices))

    def _put(self, expected: _InForce, new: _InForce) -> None:
        """Put new rules in force, unless others came meanwhile than were expected; newer files always win."""
        with self._changing:
            if self._now is expected or new.arms is not expected.arms:  # read anew, and not only compiled
                self._now = new

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await asyncio.to_thread(self.look)
            except Exception:  # whatever goes wrong with one look, the next one comes
                log.exception("rules could not be looked at")


def _compiled(file: RuleFile, matrix: ProductMatrix) -> CompiledRules:
    rules = CompiledRules(file, matrix)
    if rules.unknown:
        log.warning("rules name what the catalogue does not hold", names=rules.unknown[:20], count=len(rules.unknown))
    return rules
