"""Starts parts in order, watches them, starts crashed ones again, stops all in reverse order."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

from configs.errors import PartError, TillwiseError
from configs.home import WorkFolder
from configs.lock import exclusive
from pipelines.parts.backoff import Backoff
from pipelines.parts.base import Part
from pipelines.parts.record import UP, Identity, UpRecord, forget_up, write_up

TICK_SECONDS = 0.1
Tell = Callable[[str], None]


@dataclass
class _Watched:
    """A part and where it stands; moments are monotonic seconds."""

    part: Part
    started_at: float = 0.0
    ready: bool = False
    start_again_at: float | None = None
    backoff: Backoff = field(default_factory=Backoff)


class Supervisor:
    """Runs parts for as long as its `with` block lasts.

    Args:
        work: where the lock, the record of pids and the logs lie.
        parts: in the order in which they are started; each waits for the one before it to be ready.
        tell: takes one line about whatever happens.
        name: of the lock and of the record of pids. what: the lock stands for, as in "Serving".
    """

    def __init__(
        self, work: WorkFolder, parts: Sequence[Part], tell: Tell, *, name: str = UP, what: str = "Serving"
    ) -> None:
        self._work, self._name, self._what = work, name, what
        self._watched = [_Watched(part) for part in parts]
        self._tell = tell
        self._held = ExitStack()

    def __enter__(self) -> Supervisor:
        """Start every part and wait until all are ready.

        Raises:
            AlreadyRunningError: another supervisor runs in this work folder.
            PartError: a part ended, or was not ready in time; the message shows the end of its log.
        """
        self._held.enter_context(exclusive(self._work.run / f"{self._name}.lock", what=self._what))
        try:
            for watched in self._watched:
                self._start(watched)
                self._await_ready(watched)
            self._record()
        except BaseException:
            self._stop_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop every part, the last started first."""
        self._stop_all()

    def watch(self, until: Callable[[], bool]) -> None:
        """Keep the parts running until `until` says to return.

        Raises:
            PartError: a part crashed too often; nothing more is tried.
        """
        while not until():
            now = time.monotonic()
            for watched in self._watched:
                self._look_after(watched, now)
            time.sleep(TICK_SECONDS)

    def _look_after(self, watched: _Watched, now: float) -> None:
        part = watched.part
        if watched.start_again_at is not None:
            if now >= watched.start_again_at:
                self._start(watched)
        elif not part.alive():
            self._crashed(watched, now, "ended by itself")
        elif not watched.ready:
            if part.ready():
                self._is_back(watched, now)
            elif now - watched.started_at > part.deadline:
                part.stop()
                self._crashed(watched, now, f"was not ready within {part.deadline:.0f} s")

    def _is_back(self, watched: _Watched, now: float) -> None:
        part = watched.part
        try:
            self._has_become_ready(watched)
        except TillwiseError as error:
            part.stop()
            self._crashed(watched, now, f"was not usable ({error})")
        else:
            self._tell(f"{part.name} is back (process {part.pid}).")

    def _crashed(self, watched: _Watched, now: float, how: str) -> None:
        part, delay = watched.part, watched.backoff.crashed(now)
        if delay is None:
            raise PartError(
                f"{part.name} {how} for the {watched.backoff.crashes}th time in a row, so it is not started again; "
                f"its log {part.log} ends with: {part.last_words()}."
            )
        watched.ready, watched.start_again_at = False, now + delay
        self._tell(f"{part.name} (process {part.pid}) {how}; starting it again in {delay:g} s. Log: {part.log}")

    def _start(self, watched: _Watched) -> None:
        watched.start_again_at = None
        watched.started_at = time.monotonic()
        watched.part.start()
        self._record()

    def _await_ready(self, watched: _Watched) -> None:
        part = watched.part
        while not part.ready():
            late = time.monotonic() - watched.started_at > part.deadline
            if late or not part.alive():
                how = f"was not ready within {part.deadline:.0f} s" if late else "ended while starting"
                raise PartError(f"{part.name} {how}; its log {part.log} ends with: {part.last_words()}.")
            time.sleep(TICK_SECONDS)
        self._has_become_ready(watched)
        self._tell(f"{part.name} is ready (process {part.pid}).")

    def _has_become_ready(self, watched: _Watched) -> None:
        if watched.part.after_ready is not None:
            watched.part.after_ready()
        watched.ready = True
        self._record()

    def _record(self) -> None:
        parts = {item.part.name: Identity.of(item.part.pid) for item in self._watched if item.part.pid}
        running = {name: identity for name, identity in parts.items() if identity}
        supervisor = Identity.of(os.getpid())
        if supervisor is not None:
            record = UpRecord(supervisor, running, all(item.ready for item in self._watched))
            write_up(self._work, record, self._name)

    def _stop_all(self) -> None:
        for watched in reversed(self._watched):
            watched.part.stop()
        forget_up(self._work, self._name)
        self._held.close()
