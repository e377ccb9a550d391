"""What recommendations cost over HTTP, next to floors of the same run; beside two other ways to serve the same model;
and with a million products.

    python -m benchmarks.bench [--seconds 20] [--only recommendations|peers|million]

Starts a Redis with the built features, a consumer and `tillwise serve` with one worker, all of its own and on free
ports, and plays held-out baskets of real shoppers into them. Load generator, service and Redis share the machine: read
times as ratios to the floors. `var/reports/bench.json` holds, for the parts that were run:

- `recommendations`: at a steady rate (`offered`) and in a closed loop (`most`), each with its `floor_…`, and `redis`;
- `peers`: `ours`, `mlflow` and `tutorial`, at a `slow` rate and in a closed loop (`most`);
- `million`: `real` and `synthetic` catalogue: seconds to start, MiB of the worker, load;
- `targets`: each with what was found, its bound, and whether it was met.

A load has p50, p95, p99 and longest in milliseconds, from the moment at which a request was due to its whole answer;
lag, by how many the generator itself sent late (99th percentile); successes per_second; requests asked, how many
failed, and how many of the successes name a fallback.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.serving_bench import growth, peers, recommendations
from benchmarks.serving_bench.cases import candidates_of, plan, play
from benchmarks.serving_bench.tables import growth_table, peers_table, recommendations_table, targets_table
from benchmarks.serving_bench.targets import Target, of_growth, of_recommendations
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from pipelines.parts.own import consumer, redis_with_features, service
from training.package import ModelPackage
from training.parallel import single_thread

PARTS = ("recommendations", "peers", "million")
LONGEST_SECONDS = 120.0
SESSIONS = 300
ASKED_OF_PEERS = 40
"""Different requests that peers are asked again and again."""


@dataclass
class Found:
    """All figures; what was not asked for stays None."""

    candidates: float
    recommendations: recommendations.Recommendations | None = None
    peers: dict[str, peers.Side] | None = None
    million: tuple[growth.Size, growth.Size] | None = None
    targets: list[Target] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="of each load")
    parser.add_argument("--only", choices=PARTS, action="append", help="a part to run; default: all of them")
    parser.add_argument("--products", type=int, default=growth.PRODUCTS, help="of the synthetic catalogue")
    given = parser.parse_args()
    print_tables(measure(load_settings(), given.seconds, given.only or PARTS, given.products))


def measure(settings: Settings, seconds: float, parts: Sequence[str] = PARTS, products: int = growth.PRODUCTS) -> Found:
    """Return the figures, and write them to `bench.json`.

    Args:
        settings: of a work folder with data, features and a model; its Redis and ports are not touched.
        seconds: of each load. parts: of `PARTS`. products: of the synthetic catalogue.

    Raises:
        ConfigError: the load has no sensible bound.
        NotBuiltError, PackageError: something has not been built.
        PartError: a process did not start, or nothing was answered.
    """
    if not 0 < seconds <= LONGEST_SECONDS:
        raise ConfigError(f"--seconds is {seconds}, expected more than 0 and at most {LONGEST_SECONDS:.0f}.")
    single_thread()
    package = ModelPackage.load(settings.work.model)
    plans = plan(settings, SESSIONS)
    with redis_with_features(settings) as own:
        with service(own, own.work.model, "bench-service") as up:
            with consumer(own, "bench-consumer"):
                play(up, plans)
            candidates = candidates_of(own, package, plans[:ASKED_OF_PEERS])
            found = Found(float(np.mean([len(asked.products) for asked in candidates])))
            if "recommendations" in parts:
                found.recommendations = recommendations.measure(up, plans, seconds)
            if "peers" in parts:
                found.peers = peers.measure(up, plans, candidates, seconds)
        if "million" in parts:
            found.million = growth.measure(own, plans, package, products, seconds)
    found.targets = _targets(found)
    write_json(settings.work.reports / "bench.json", _report(found, package, seconds))
    return found


def print_tables(found: Found) -> None:
    """Print what was measured."""
    console = Console(width=150)
    if found.recommendations:
        console.print(recommendations_table(found.recommendations, found.candidates))
    if found.peers:
        console.print(peers_table(found.peers))
        console.print(peers.INCLUDED)
    if found.million:
        console.print(growth_table(found.million))
    if found.targets:
        console.print(targets_table(found.targets))


def _targets(found: Found) -> list[Target]:
    targets = of_recommendations(found.recommendations) if found.recommendations else []
    return targets + (of_growth(*found.million) if found.million else [])


def _report(found: Found, package: ModelPackage, seconds: float) -> dict[str, Any]:
    report = provenance("python -m benchmarks.bench", package.data)
    report |= {"model_version": package.version, "products": len(package.products)}
    report |= {"candidates": found.candidates, "seconds": seconds}
    if found.recommendations:
        report["recommendations"] = asdict(found.recommendations) | {"rate": recommendations.RATE}
    if found.peers:
        report["peers"] = {name: asdict(side) for name, side in found.peers.items()} | {"rate": peers.RATE}
    if found.million:
        report["million"] = dict(zip(("real", "synthetic"), map(asdict, found.million), strict=True))
    report["targets"] = [asdict(target) | {"met": target.met} for target in found.targets]
    return report


if __name__ == "__main__":
    main()
