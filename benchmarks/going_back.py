"""How long a rollback takes: a real service, a real registry, the monitor's own way of going back."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from benchmarks.crowning import crown, enlist
from benchmarks.swapping import make_packages
from configs import Settings, SilentProgress
from configs.errors import PartError
from events.embedded import EmbeddedRedis
from monitoring.watch.acting import Sight, go_back, new_incident
from monitoring.watch.deciding import Choice
from monitoring.watch.incidents import now_text
from monitoring.watch.reading import Place
from monitoring.watch.replicas import swapped_at
from monitoring.watch.tenure import standing_champion
from pipelines.parts.own import running, service_part
from pipelines.parts.ports import free_port

WORKERS, TIMES = 2, 3
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Rollback:
    """Seconds from the decision until the pointer moved and the last worker had swapped: medians, and the most."""

    workers: int
    times: int
    pointer_seconds: float
    swapped_seconds: float
    slowest_seconds: float


def measure_rollback(settings: Settings) -> Rollback:
    """Return how long going back takes, some times over, on the work folder's package and one that answers otherwise.

    Raises:
        PackageError: there is no model. PartError: the service does not come up, or does not swap.
    """
    with tempfile.TemporaryDirectory() as name, EmbeddedRedis(free_port(), Path(name) / "redis") as server:
        folder = Path(name)
        changed = {"port": free_port(), "workers": WORKERS, "package": None}
        watch = settings.monitoring.watch.model_copy(update={"replicas_seconds": PATIENCE_SECONDS})
        own = settings.model_copy(
            update={
                "home": folder,
                "redis": settings.redis.model_copy(update={"url": server.url}),
                "registry": settings.registry.model_copy(update={"uri": None}),
                "serving": settings.serving.model_copy(update=changed),
                "monitoring": settings.monitoring.model_copy(update={"watch": watch}),
            }
        )
        packages = list(make_packages(settings.work.model, folder / "packages").folders.items())[:2]
        good, bad = enlist(own, [path.resolve() for _, path in packages])
        crown(own, good)
        with running(service_part(own, "bench-service")):
            found = [_once(own, bad, packages[1][0]) for _ in range(TIMES)]
    pointer, swapped = np.array(found).T
    return Rollback(WORKERS, TIMES, float(np.median(pointer)), float(np.median(swapped)), float(swapped.max()))


def _once(settings: Settings, bad: str, package: str) -> tuple[float, float]:
    """Let a version serve everywhere, go back, and return seconds until the pointer moved and all had swapped."""
    crown(settings, bad)
    if swapped_at(settings, package, PATIENCE_SECONDS) is None:
        raise PartError("The service does not take over the version that is to be gone back from.")
    sight = Sight([], Place(0.0), now_text())
    choice = Choice("rollback", "benchmark", "a measurement")
    done = go_back(settings, SilentProgress(), new_incident(settings, standing_champion(settings), choice, sight))
    times = {name: datetime.fromisoformat(at) for name, at in done.times.items()}
    if "last_replica_swapped" not in times:
        raise PartError(f"The service did not swap: {done.notes}")
    began = times["decided"]
    return (
        (times["pointer_moved"] - began).total_seconds(),
        (times["last_replica_swapped"] - began).total_seconds(),
    )
