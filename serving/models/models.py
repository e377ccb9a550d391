"""Which package each alias means in this worker, and changing that while requests are answered."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from configs import Settings
from configs.errors import NotBuiltError, PackageError
from features.context import ProductMatrix
from serving.clock import service_clock
from serving.models.served import Served
from training.aliases import CHAMPION, Pointer, pointer_path, read_pointer
from training.package import ModelPackage
from training.parallel import give_memory_back
from training.recommender import Recommender

log = structlog.get_logger()

LAST_GOOD = "last_good_"
"""With the alias's name, a pointer's copy that a worker leaves once it serves: what another one starts with if the
pointer itself names a package that cannot serve."""


@dataclass(frozen=True)
class Refused:
    """A package that does not serve: its version if it is known, why, and when it was refused (unix seconds)."""

    version: str | None
    reason: str
    at: float


@dataclass(frozen=True)
class Standing:
    """Where an alias stands: what serves, what served before it and can again at once, what was refused since."""

    served: Served
    previous: Served | None = None
    refused: Refused | None = None


class Models:
    """What a worker serves, by alias.

    A request takes `champion` once and keeps it: whatever is swapped meanwhile, one package answers it. Swapping is
    one assignment, made by the one thread that follows the pointers.

    Args:
        champion: what serves now.

    Attributes:
        elapsed: returns the seconds that a historical clock has come from the champion's cutoff.
    """

    def __init__(self, champion: Served) -> None:
        _ = champion.search  # worked out now, not by a request
        self._standing: Mapping[str, Standing] = {CHAMPION: Standing(champion)}
        self.elapsed = service_clock("historical", 0.0)
        self._preparations: list[Callable[[ProductMatrix], object]] = []

    @classmethod
    def pinned(cls, package: ModelPackage) -> Models:
        """Return models that serve one package, whatever the registry says."""
        return cls(Served.of(package))

    @classmethod
    def opened(cls, settings: Settings) -> Models:
        """Return models with what the settings, else the pointers, name.

        Raises:
            NotBuiltError: no model is champion. PackageError: neither it nor the last that served can be loaded.
        """
        if settings.serving.package is not None:
            return cls(Served.load(settings.serving.package))
        path = pointer_path(settings.work, CHAMPION)
        try:
            pointer = read_pointer(path)
            if pointer is None:
                raise NotBuiltError("No model is champion: run `tillwise run`, or `tillwise promote`.")
            return cls(load(pointer))
        except PackageError as error:
            return cls._with_last_good(settings, error)

    @classmethod
    def _with_last_good(cls, settings: Settings, error: PackageError) -> Models:
        pointer = read_pointer(pointer_path(settings.work, f"{LAST_GOOD}{CHAMPION}"))
        if pointer is None:
            raise error
        log.error("package refused, the last good one serves", reason=str(error), version=pointer.package)
        return cls(load(pointer))

    @property
    def champion(self) -> Served:
        """What serves."""
        return self._standing[CHAMPION].served

    def named(self, alias: str) -> Served | None:
        """Return what an alias means; None if it means nothing."""
        standing = self._standing.get(alias)
        return None if standing is None else standing.served

    def recommender(self, alias: str) -> Recommender | None:
        """Return what ranks with an alias's model; None if it has none."""
        served = self.named(alias)
        return None if served is None else served.recommender

    def prepare(self, preparation: Callable[[ProductMatrix], object]) -> None:
        """Have something worked out for the products of each package before it serves, off the request path."""
        self._preparations.append(preparation)

    @property
    def standing(self) -> Standing:
        """Where the champion stands."""
        return self._standing[CHAMPION]

    def clock(self) -> float:
        """Return the service's time, unix seconds: for historical data counted on from the champion's cutoff."""
        package = self.champion.package
        return time.time() if package.clock == "live" else package.as_of + self.elapsed()

    def follow(self, pointer: Pointer) -> None:
        """Let a pointer's alias mean its package; one that cannot serve is refused, and what served goes on serving."""
        before = self._standing.get(pointer.alias)
        if before is not None and before.served.version == pointer.package:
            self._put(pointer.alias, replace(before, refused=None))
            return
        try:
            served = self._loaded(pointer.package) or load(pointer, gently=True)
        except Exception as error:  # whatever is wrong with a package, it must not end what serves
            self.refuse(pointer.alias, pointer.package, error)
            return
        if pointer.alias == CHAMPION:
            _ = served.search  # a challenger has had no need of it
        for preparation in self._preparations:
            preparation(served.matrix)
        self._put(pointer.alias, Standing(served, None if before is None else before.served))
        del before
        gc.freeze()  # it stays: no later collection has to walk its lists, each as long as the catalogue
        give_memory_back()
        seconds = round(served.load_seconds, 2)
        log.info("model swapped", alias=pointer.alias, version=served.version, by=pointer.by, load_seconds=seconds)

    def refuse(self, alias: str, version: str | None, error: Exception) -> None:
        """Note that an alias's new package is not served."""
        log.error("package refused", alias=alias, version=version, reason=str(error))
        standing = self._standing.get(alias)
        if standing is not None:
            refused = Refused(version, f"{type(error).__name__}: {error}", time.time())
            self._put(alias, replace(standing, refused=refused))

    def forget(self, alias: str) -> None:
        """Let an alias mean nothing any more; the champion stays whatever happens."""
        if alias != CHAMPION and alias in self._standing:
            self._standing = {name: standing for name, standing in self._standing.items() if name != alias}

    def _put(self, alias: str, standing: Standing) -> None:
        self._standing = {**self._standing, alias: standing}

    def _loaded(self, version: str) -> Served | None:
        """Return a package that is in memory already."""
        known = [served for item in self._standing.values() for served in (item.served, item.previous)]
        return next((served for served in known if served is not None and served.version == version), None)


def load(pointer: Pointer, *, gently: bool = False) -> Served:
    """Return the package that a pointer names; `gently` while another one serves.

    Raises:
        PackageError: it cannot serve, or is another one than the pointer says.
    """
    served = Served.load(Path(pointer.folder), gently=gently)
    if served.version != pointer.package:
        raise PackageError(f"{pointer.folder} holds package {served.version}, the pointer says {pointer.package}.")
    return served
