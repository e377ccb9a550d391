"""What swapping the model costs whoever asks meanwhile.

    python -m benchmarks.swap [--swaps 9] [--rate 100] [--workers 1]

Starts a Redis and a service of its own in a temporary folder, on the model package of the work folder, and asks for
recommendations at a steady rate, each timed from the moment at which it is due:

- steady: nothing is swapped;
- swapping: the champion's pointer moves on again and again, each time to a package that has to be loaded;
- rollback: it moves back and forth between two packages, of which one served just before;
- refused: it names a corrupt package, and then the one that serves.

Client, service and Redis share the machine: read times as ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.swapping import Answers, Packages, bodies, make_packages, megabytes, steadily, workers
from configs import Settings, load_settings
from configs.errors import ConfigError, PartError
from configs.home import write_json
from configs.provenance import provenance
from events.embedded import EmbeddedRedis
from pipelines.parts.own import running, service_part
from pipelines.parts.ports import free_port
from training.aliases import CHAMPION, point
from training.package import ModelPackage

MOST_SWAPS, MOST_PER_SECOND, MOST_WORKERS = 100, 500.0, 8
PATIENCE_SECONDS = 60.0
LOOK_SECONDS, SETTLE_SECONDS = 0.25, 0.5
WARM_SECONDS, STEADY_SECONDS = 1.0, 2.0
"""Of load: before anything counts, and for each swap without one."""
T = TypeVar("T")
PHASES = ("steady", "swapping", "rollback", "refused")


@dataclass(frozen=True)
class Phase:
    """How requests were answered, in milliseconds; `followed`: seconds from each move to the last old answer."""

    requests: int
    failed: int
    p50: float
    p99: float
    slowest: float
    followed: tuple[float, ...]


@dataclass(frozen=True)
class Found:
    """All figures: the phases by name; seconds that each load took; MiB a worker before and after; the refusal."""

    phases: dict[str, Phase]
    load_seconds: tuple[float, ...]
    memory_before: dict[str, float]
    memory_after: dict[str, float]
    refusal: str


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--swaps", type=int, default=9)
    parser.add_argument("--rate", type=float, default=100.0, help="requests a second")
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    print_table(measure(load_settings(), given.swaps, given.rate, given.workers))


def measure(settings: Settings, swaps: int, rate: float, workers: int) -> Found:
    """Return the figures, and write them to `swap.json`.

    Args:
        settings: whose work folder holds a model; its Redis, registry and ports are not touched.
        swaps: of the phases that swap. rate: requests a second. workers: of the service.

    Raises:
        ConfigError: the load has no sensible bound. PackageError: there is no model. PartError: the service fails.
    """
    if not (1 <= swaps <= MOST_SWAPS and 1 <= rate <= MOST_PER_SECOND and 1 <= workers <= MOST_WORKERS):
        raise ConfigError(
            f"Found {swaps} swaps, {rate:g} requests a second and {workers} workers, expected at least one and at most "
            f"{MOST_SWAPS}, {MOST_PER_SECOND:g} and {MOST_WORKERS}."
        )
    with tempfile.TemporaryDirectory() as name, EmbeddedRedis(free_port(), Path(name) / "redis") as server:
        folder = Path(name)
        changed = {"port": free_port(), "workers": workers, "package": None}
        own = settings.model_copy(
            update={
                "home": folder,
                "redis": settings.redis.model_copy(update={"url": server.url}),
                "serving": settings.serving.model_copy(update=changed),
            }
        )
        packages = make_packages(settings.work.model, folder / "packages")
        raw = bodies(ModelPackage.load(settings.work.model).golden)
        mover = _Mover(own, packages)
        with running(service_part(own, "bench-service")):
            found = asyncio.run(_measure(own, mover, raw, swaps, rate))
    data = ModelPackage.load(settings.work.model).data
    report = provenance("python -m benchmarks.swap", data) | {"swaps": swaps, "rate": rate, "workers": workers}
    write_json(settings.work.reports / "swap.json", report | asdict(found))
    return found


def print_table(found: Found) -> None:
    """Print the figures, those with swaps below those without."""
    table = Table(title="Recommendations while models are swapped", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "requests", "failed", "p50 ms", "p99 ms", "slowest ms", "seconds until followed (most)"):
        table.add_column(heading, justify="left" if not heading else "right")
    for name, phase in found.phases.items():
        times = (f"{value:.1f}" for value in (phase.p50, phase.p99, phase.slowest))
        followed = f"{np.median(phase.followed):.2f} ({max(phase.followed):.2f})" if phase.followed else ""
        table.add_row(name, f"{phase.requests:,}", str(phase.failed), *times, followed)
    console = Console(width=110)
    console.print(table)
    loads, before, after = found.load_seconds, found.memory_before, found.memory_after
    console.print(f"Loading and checking took {np.median(loads):.2f} s (at most {max(loads):.2f}), beside what serves.")
    console.print(
        f"Memory a worker: {before['rss']:.0f} MiB resident ({before['pss']:.0f} with shared pages counted in part) "
        f"before the first swap, {after['rss']:.0f} ({after['pss']:.0f}) after the last, two models being kept."
    )
    console.print(f"Refused: {found.refusal}", soft_wrap=True)


@dataclass(frozen=True)
class _Move:
    """When the pointer moved (perf_counter), and which version served until then."""

    at: float
    before: str


class _Mover:
    """Moves the champion's pointer, and waits until every worker has followed.

    Attributes:
        moves: those made. loads: seconds that each load of a worker took. serving: version that serves now.
    """

    def __init__(self, settings: Settings, packages: Packages) -> None:
        self._settings, self._packages = settings, packages
        self.moves: list[_Move] = []
        self.loads: list[float] = []
        self.serving = next(iter(packages.folders))
        self._point(self.serving, packages.folders[self.serving])

    async def on(self, times: int) -> None:
        """Move on to the package that served longest ago, again and again: workers have to load it."""
        versions = list(self._packages.folders)
        for _ in range(times):
            following = versions[(versions.index(self.serving) + 1) % len(versions)]
            await self._to(following)
            self.loads += [model["load_seconds"] for model in self._told]

    async def back(self, times: int) -> None:
        """Move back and forth between what serves and what did before."""
        for _ in range(times):
            await self._to(self.moves[-1].before)

    async def refused(self) -> str:
        """Offer the corrupt package, then what serves; return why the former was refused."""
        self._point("corrupt", self._packages.corrupt)
        await self._wait(lambda model: model["refused"] is not None)
        reason = str(self._told[0]["refused"]["reason"])
        self._point(self.serving, self._packages.folders[self.serving])
        await self._wait(lambda model: model["refused"] is None)
        return reason

    async def rest(self, seconds: float) -> None:
        """Move nothing, but look as often as the others do."""
        ends = time.monotonic() + seconds
        await self._wait(lambda _: time.monotonic() > ends)

    async def _to(self, version: str) -> None:
        self.moves.append(_Move(time.perf_counter(), self.serving))
        self._point(version, self._packages.folders[version])
        await self._wait(lambda model: model["version"] == version)
        self.serving = version

    def _point(self, version: str, folder: Path) -> None:
        number = str(len(self.moves) + 1)
        point(self._settings.work, CHAMPION, version=number, package=version, folder=folder, by="benchmarks.swap")

    async def _wait(self, condition: Callable[[dict[str, Any]], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            self._told = list((await asyncio.to_thread(workers, self._settings)).values())
            if all(condition(model) for model in self._told):
                await asyncio.sleep(SETTLE_SECONDS)
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise PartError(f"A worker did not follow: {self._told}")


async def _measure(settings: Settings, mover: _Mover, raw: Sequence[bytes], swaps: int, rate: float) -> Found:
    async def under_load(doing: Awaitable[T]) -> tuple[Phase, T]:
        until, made = asyncio.Event(), len(mover.moves)
        load = asyncio.ensure_future(steadily(settings.serving.port, raw, rate, until))
        try:
            result = await doing
        finally:
            until.set()
        return _phase(await load, mover.moves[made:]), result

    pids = list(workers(settings))
    await under_load(mover.rest(WARM_SECONDS))  # not counted
    steady, _ = await under_load(mover.rest(swaps * STEADY_SECONDS))
    before = megabytes(pids)
    swapping, _ = await under_load(mover.on(swaps))
    rollback, _ = await under_load(mover.back(swaps))
    refused, reason = await under_load(mover.refused())
    phases = dict(zip(PHASES, (steady, swapping, rollback, refused), strict=True))
    return Found(phases, tuple(mover.loads), before, megabytes(pids), reason)


def _phase(found: Answers, moves: Sequence[_Move]) -> Phase:
    took = np.array(found.took) * 1_000
    p50, p99 = np.percentile(took, [50, 99])
    ends = [move.at for move in moves[1:]] + [np.inf] * bool(moves)
    followed = tuple(found.last_of(move.before, move.at, end) - move.at for move, end in zip(moves, ends, strict=True))
    return Phase(len(took), found.failed, float(p50), float(p99), float(took.max()), followed)


if __name__ == "__main__":
    main()
