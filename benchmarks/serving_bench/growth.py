"""The same sessions and the same load on the real catalogue and on a synthetic one of a million products."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving_bench.cases import requests_of
from benchmarks.serving_bench.load import Load, in_turn, steady
from benchmarks.serving_bench.recommendations import RATE
from benchmarks.serving_bench.stack import Memory, memory_of_worker
from benchmarks.serving_bench.synthetic import grown
from configs import Settings
from configs.errors import ConfigError
from pipelines.parts.own import service
from pipelines.replay.plan import PlannedSession
from training.package import ModelPackage

PRODUCTS = 1_000_000


@dataclass(frozen=True)
class Size:
    """One catalogue: its products, seconds until the service is ready, its worker's memory after the load, the load."""

    products: int
    start_seconds: float
    memory: Memory
    load: Load


def measure(
    settings: Settings, plans: Sequence[PlannedSession], package: ModelPackage, products: int, seconds: float
) -> tuple[Size, Size]:
    """Return the figures of the real and of the synthetic catalogue; the synthetic package is deleted afterwards.

    Args:
        settings: whose Redis knows the sessions. package: the real one. products: of the synthetic catalogue.

    Raises:
        ConfigError: `products` is below the real catalogue's size.
    """
    real = len(package.products)
    if products < real:
        raise ConfigError(f"--products is {products:,}, but the real catalogue has {real:,}: give at least as many.")
    settings.work.root.joinpath("tmp").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.work.root / "tmp", prefix="bench-") as name:
        grown(package, products, Path(name))
        with (
            service(settings, settings.work.model, "bench-service") as small,
            service(settings, Path(name), "bench-service-large") as large,
        ):
            asked = requests_of(plans)
            loads = in_turn([steady(up.port, asked, RATE) for up in (small, large)], seconds)
            return (
                Size(real, small.start_seconds, memory_of_worker(small), loads[0]),
                Size(products, large.start_seconds, memory_of_worker(large), loads[1]),
            )
