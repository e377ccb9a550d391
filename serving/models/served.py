"""One package, loaded, checked and warm: what answers a request."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from features.context import ProductMatrix
from serving.catalogue import ProductSearch
from training import selftest
from training.contributions import Explainer
from training.package import ModelPackage
from training.recommender import Recommender

REST_SECONDS = 0.02
"""Between two requests of a self-test, in which live ones are answered."""
SWITCH_SECONDS = 0.00002
"""How long a loading thread may keep the interpreter from the one that answers; Python's own 5 ms would be felt."""


@dataclass(frozen=True, eq=False)
class Served:
    """A package that can answer.

    Attributes:
        recommender: ranks with it. loaded_at: unix seconds. load_seconds: how long loading and checking took.
    """

    recommender: Recommender
    loaded_at: float
    load_seconds: float

    @property
    def package(self) -> ModelPackage:
        """The package."""
        return self.recommender.package

    @property
    def version(self) -> str:
        """The package's version."""
        return self.recommender.package.version

    @property
    def matrix(self) -> ProductMatrix:
        """The package's product side."""
        return self.recommender.package.matrix

    @cached_property
    def explainer(self) -> Explainer:
        """Takes its scores apart."""
        return Explainer(self.package)

    @cached_property
    def search(self) -> ProductSearch:
        """Finds its products by words."""
        return ProductSearch(self.matrix)

    @cached_property
    def _weighted(self) -> dict[frozenset[tuple[str, float]], Served]:
        return {}

    def weighted(self, weights: Mapping[str, float]) -> Served:
        """Return the same package with some other weights of the arm `signals`; asked for again, the same object."""
        name = frozenset(weights.items())
        if name not in self._weighted:
            self._weighted[name] = replace(self, recommender=self.recommender.weighted(weights))
        return self._weighted[name]

    @classmethod
    def of(cls, package: ModelPackage) -> Served:
        """Return a loaded package, warm: no request pays for first-time work.

        Raises:
            PackageError: it fails its self-test.
        """
        return cls._warmed(package, time.perf_counter(), lambda: None)

    @classmethod
    def load(cls, folder: Path, *, gently: bool = False) -> Served:
        """Return the package in a folder, checked, tested and warm.

        Args:
            folder: of the package. gently: while another one serves, to which it gives way.

        Raises:
            PackageError: it is missing, damaged, made for other features, or fails its self-test.
        """
        started = time.perf_counter()
        if not gently:
            return cls._warmed(ModelPackage.load(folder), started, lambda: None)
        with _giving_way():
            return cls._warmed(ModelPackage.load(folder), started, lambda: time.sleep(REST_SECONDS))

    @classmethod
    def _warmed(cls, package: ModelPackage, started: float, rest: Callable[[], None]) -> Served:
        recommender = Recommender(package)
        selftest.check(recommender, rest)  # ranks with every arm
        served = cls(recommender, time.time(), time.perf_counter() - started)
        _ = served.explainer  # worked out now, not by a request
        return served


@contextmanager
def _giving_way() -> Iterator[None]:
    """Let the block give way to other threads sooner than Python usually does."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
