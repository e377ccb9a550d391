"""The follower: looks what the aliases mean, fetches what is elsewhere, and writes the pointers."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import structlog

from configs import Settings
from configs.errors import PackageError
from configs.home import write_json
from configs.logs import configure_logs
from training.aliases import FOLLOWED, Pointer, local_folder, point, pointer_path, read_pointer, registry_uri
from training.following.base import AliasSource, Held, RegistryError
from training.following.database import DatabaseAliases
from training.following.server import ServerAliases

log = structlog.get_logger()

FOLLOWER_BEAT = "follower.json"
"""File in the work folder's `run/` that holds pid, at (unix seconds) and trouble (null or a sentence)."""


class Follower:
    """Keeps the pointers of a work folder at what the registry's aliases mean."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._source = _source(settings)
        self._stamp: Any = None

    def look(self) -> list[Pointer]:
        """Ask the registry, unless nothing in it can have changed; return the pointers that were moved.

        An alias that nothing has any more loses its pointer: what serves goes on, but no replica starts on it.

        Raises:
            RegistryError: it cannot be asked, or a package not be fetched. Pointers stay, the next look asks again.
        """
        stamp = self._source.stamp()
        if stamp is not None and stamp == self._stamp:
            return []
        moved = [pointer for alias in FOLLOWED if (pointer := self._follow(alias)) is not None]
        self._stamp = stamp
        return moved

    def _follow(self, alias: str) -> Pointer | None:
        path = pointer_path(self._settings.work, alias)
        try:
            # Read before the registry: a decision that is made meanwhile writes a newer one, which then stays.
            pointer = read_pointer(path)
        except PackageError:
            pointer = None
        held = self._source.held(alias)
        if held is None:
            path.unlink(missing_ok=True)
            return None
        if pointer is not None and pointer.means(held.version, held.package):
            return None
        folder = local_folder(held.source) or self._fetch(held)
        return point(
            self._settings.work, alias, version=held.version, package=held.package, folder=folder, by="the registry"
        )

    def _fetch(self, held: Held) -> Path:
        """Return the folder of a package that lies elsewhere, fetched by a process that ends with it."""
        context = multiprocessing.get_context("spawn")
        try:
            with ProcessPoolExecutor(1, mp_context=context) as pool:  # MLflow's memory goes with the process
                return pool.submit(_download, self._settings, held.version).result()
        except Exception as error:  # MLflow, its stores and the network have their own
            raise RegistryError(f"version {held.version} cannot be fetched ({type(error).__name__}: {error})") from None


def run_follower(settings: Settings) -> None:
    """Follow until SIGINT or SIGTERM; a registry that does not answer is asked again and again."""
    configure_logs(settings.log.level, settings.log.format, process="follower")
    follower, beat = Follower(settings), settings.work.run / FOLLOWER_BEAT
    try:
        while True:
            trouble = _step(follower)
            write_json(beat, {"pid": os.getpid(), "at": time.time(), "trouble": trouble})
            time.sleep(settings.registry.poll_seconds)
    except KeyboardInterrupt:
        beat.unlink(missing_ok=True)


def _step(follower: Follower) -> str | None:
    try:
        for pointer in follower.look():
            log.info("alias moved", alias=pointer.alias, version=pointer.version, package=pointer.package)
    except RegistryError as error:
        log.warning("registry out of reach", error=str(error))
        return str(error)
    return None


def _source(settings: Settings) -> AliasSource:
    uri, model = registry_uri(settings), settings.registry.model_name
    if uri.startswith(("http://", "https://")):
        return ServerAliases(uri, model)
    return DatabaseAliases(uri, model)


def _download(settings: Settings, version: str) -> Path:
    # Imported by the process that fetches only: the follower itself is to stay small.
    from training.registry import download, registry_client, version_of

    return download(settings, version_of(registry_client(settings), settings, version))
