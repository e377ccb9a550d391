"""What experiments and exposures add to a request, next to ranking it; what follows in the background; bytes.

    python -m benchmarks.exposures --cases 500

Real requests are assigned, ranked, explored and handed to the log one after the other; then the log publishes them to
a Redis of its own in a temporary folder. Read the microseconds as ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import redis.asyncio as redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.rankers import requests_of, timed
from configs import Settings, load_settings
from configs.home import write_json
from configs.provenance import provenance
from events.brokers import connect
from events.contract import Event, decode, encode
from events.embedded import EmbeddedRedis
from events.session import SessionState
from events.shopper import Person, remember
from features.context import Context
from features.history import ingest_record
from features.shopper import ShopperState
from pipelines.parts.ports import free_port
from serving.experiments import (
    Arm,
    Asked,
    Experiment,
    Experiments,
    Exploration,
    ExposureLog,
    Ranked,
    RunningExperiments,
    Shadows,
    depth,
    explore,
)
from serving.models import Served
from serving.path import unit_for
from serving.schema import RecommendationRequest
from serving.state import Known
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

RANKING = "floor: ranking"
STEPS = ("assign", "explore", "hand to the log")
BACKGROUND = "in the background: tell and publish"
SIZES = ("bytes an exposure", "bytes without features")
CHANCE = Exploration(epsilon=0.1, slots=1, pool=20, max_share_of_requests=0.1)
RUNNING = Experiments(
    Experiment.model_validate(
        {
            "name": "bench",
            "start": "2001-01-01T00:00:00Z",
            "salt": "bench",
            "arms": [Arm(name="a", share=0.5, exploration=CHANCE), Arm(name="b", share=0.5, exploration=CHANCE)],
        }
    )
)


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=500, help="held-out baskets, sampled by seed")
    print_table(measure(load_settings(), parser.parse_args().cases))


def measure(settings: Settings, cases: int) -> dict[str, float]:
    """Return the median microseconds of each step and the mean of what follows, and mean bytes.

    They are written to `exposures.json`.

    Args:
        settings: of a work folder with data, features and a model; its Redis is not touched.
        cases: at most so many requests, as `benchmarks.rankers` takes them.

    Raises:
        NotBuiltError, PackageError: something has not been built.
    """
    package = ModelPackage.load(settings.work.model)
    contexts = [fresh() for fresh in requests_of(settings, package, cases)]
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(free_port(), Path(folder)) as server:
        own = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})})
        found = asyncio.run(_measure(own, Recommender(package), contexts))
    report = provenance("python -m benchmarks.exposures", ingest_record(settings.work.data)["fingerprint"])
    report |= {"model_version": package.version, "requests": len(contexts)}
    write_json(settings.work.reports / "exposures.json", report | {"found": {k: round(v, 1) for k, v in found.items()}})
    return found


def print_table(found: dict[str, float]) -> None:
    """Print one row a step, and the bytes."""
    table = Table(title="One request, µs", box=SIMPLE_HEAD)
    for heading in ("step", "µs", "share of ranking"):
        table.add_column(heading, justify="left" if heading == "step" else "right")
    added = sum(found[name] for name in STEPS)
    for name, value in [(RANKING, found[RANKING]), *((name, found[name]) for name in STEPS), ("added in all", added)]:
        table.add_row(name, f"{value:,.1f}", f"{value / found[RANKING]:.1%}")
    table.add_row(BACKGROUND, f"{found[BACKGROUND]:,.1f}", f"{found[BACKGROUND] / found[RANKING]:.1%}")
    console = Console()
    console.print(table)
    console.print(", ".join(f"{name}: {found[name]:,.0f}" for name in SIZES))


async def _measure(settings: Settings, model: Recommender, contexts: Sequence[Context]) -> dict[str, float]:
    spent: dict[str, list[float]] = {name: [] for name in (RANKING, *STEPS)}
    exposures = settings.serving.exposures.model_copy(update={"queue": len(contexts)})
    async with connect(settings) as broker, redis.Redis.from_url(settings.redis_url) as client:
        log = ExposureLog(
            broker,
            exposures,
            settings.events,
            Shadows(RunningExperiments(), lambda _: model),
            lambda shown: remember(client, shown),
        )
        for number, context in enumerate(contexts):
            _one(log, spent, model, context, number)
        started = time.perf_counter()
        await log.close()
        background = (time.perf_counter() - started) / len(contexts)
        events = await _published(settings, client)
    found = {name: 1e6 * float(np.median(times)) for name, times in spent.items()} | {BACKGROUND: 1e6 * background}
    bare = [msgspec.structs.replace(event, exposure=_without_features(event)) for event in events]
    sizes = (np.mean([len(encode(event)) for event in some]) for some in (events, bare))
    return found | dict(zip(SIZES, map(float, sizes), strict=True))


def _one(log: ExposureLog, spent: dict[str, list[float]], model: Recommender, context: Context, number: int) -> None:
    """Answer one request as the request path does, without reading state."""
    request = RecommendationRequest(session_id=uuid.uuid4().hex, shopper_id=f"shopper-{number}")
    person = Person(f"shopper-{number}", (f"shopper-{number}",))
    known = Known(SessionState(str(request.session_id)), ShopperState.empty(), person=person)
    assigned = timed(spent["assign"], lambda: RUNNING.assign(unit_for(request, known), None, context.now))
    cart = [model.package.products.ids[row] for row in context.cart.tolist()]
    asked = Asked(request, uuid.uuid4().hex, context.now, context.now, known, cart, assigned, Served(model, 0.0, 0.0))
    plan = assigned.arm.exploration
    rows, scores = timed(spent[RANKING], model.rank, context, depth(request.k, plan))
    explored = timed(spent["explore"], explore, range(rows.size), request.k, plan, asked.request_id)
    ranked = Ranked("model", None, model, context, rows, scores, explored)
    timed(spent["hand to the log"], log.add, asked, ranked, None, 2.5)


async def _published(settings: Settings, client: Any) -> list[Event]:
    streams = [f"{settings.events.stream}:{number}" for number in range(settings.events.partitions)]
    return [decode(fields[b"e"]) for stream in streams for _, fields in await client.xrange(stream)]


def _without_features(event: Event) -> Any:
    return None if event.exposure is None else msgspec.structs.replace(event.exposure, features=b"", columns="")


if __name__ == "__main__":
    main()
