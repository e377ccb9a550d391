"""The thread that watches the pointers and swaps what they name.

A thread and no task of the event loop: loading takes half a second of work, and BentoML runs no lifespan of an
application that is mounted in it.
"""

from __future__ import annotations

import threading
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

import structlog

from configs import Settings
from configs.errors import PackageError
from configs.home import write_json
from serving.models.models import LAST_GOOD, Models
from training.aliases import CHAMPION, FOLLOWED, Pointer, pointer_path, read_pointer

log = structlog.get_logger()
Stamp = tuple[int, int, int] | None


class Trying(Protocol):
    """What deals models to people: see `serving.experiments.RunningExperiments`."""

    def look(self, *, may_begin: bool = True) -> None:
        """Follow what is tried now."""


class Following(threading.Thread):
    """Keeps `models` at what the pointers of a work folder say.

    Args:
        models: what is served. settings: work folder, and how often to look.
        trying: looks as often; it ends what it deals before a model goes, and begins once a model is there.
    """

    def __init__(self, models: Models, settings: Settings, trying: Trying | None = None) -> None:
        super().__init__(name="following", daemon=True)
        self._models, self._settings, self._trying = models, settings, trying
        self._ended = threading.Event()
        self._seen: dict[str, Stamp] = {}

    def run(self) -> None:
        """Look at the pointers until `end`, first at once."""
        while True:
            self.look()
            if self._ended.wait(self._settings.serving.follow_seconds):
                return

    def end(self) -> None:
        """Look no more."""
        self._ended.set()

    def look(self) -> None:
        """Follow the pointers that changed since the last look; a refused package is not tried again before that."""
        if self._trying is not None:
            self._trying.look(may_begin=False)
        self._look_at_pointers()
        if self._trying is not None:
            self._trying.look()

    def _look_at_pointers(self) -> None:
        for alias in FOLLOWED:
            path = pointer_path(self._settings.work, alias)
            stamp = stamp_of(path)
            if alias not in self._seen or stamp != self._seen[alias]:
                self._seen[alias] = stamp
                self._follow(alias, path)

    def _follow(self, alias: str, path: Path) -> None:
        try:
            pointer = read_pointer(path)
        except (PackageError, OSError) as error:
            self._models.refuse(alias, None, error)
            return
        if pointer is None:
            self._models.forget(alias)
            return
        self._models.follow(pointer)
        served = self._models.named(CHAMPION)
        if alias == CHAMPION and served is not None and served.version == pointer.package:
            self._keep(pointer)

    def _keep(self, pointer: Pointer) -> None:
        try:
            write_json(pointer_path(self._settings.work, f"{LAST_GOOD}{pointer.alias}"), asdict(pointer))
        except OSError as error:  # a full disk must not end the following
            log.warning("last good pointer not kept", error=str(error))


def stamp_of(path: Path) -> Stamp:
    """Return what differs once a file was replaced; None without one."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
