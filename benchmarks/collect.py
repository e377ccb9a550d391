"""What collecting costs over HTTP: how soon an event is visible, and what the collector takes.

    python -m benchmarks.collect [--seconds 10] [--rate 2000]

Starts a Redis of its own in a temporary folder, a collector and a consumer as processes, and loads them:

- visible: 500 /v1/track calls a second, one event each, from the moment at which a call is due until the session's
  record, read from Redis as a recommendation reads it, shows the event;
- offered: /v1/batch calls of 20 events at a steady rate, each timed from the moment at which it is due;
- most: the same calls in a closed loop.

The floor is an empty handler of the same server for the same bodies. Client, collector, consumer and Redis share the
machine: read the figures as ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import redis.asyncio as redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from benchmarks.collecting import FLOOR, running
from benchmarks.wire import OK, answer, request
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from events.brokers import connect
from events.embedded import EmbeddedRedis
from events.session import decode_record, session_key
from pipelines.parts.ports import free_port

LONGEST_SECONDS = 60.0
MOST_PER_SECOND = 20_000
VISIBLE_RATE = 500
BATCH = 20
SESSIONS = 1_000
BODIES = 500
"""Different batches of the closed loops, sent again and again: that costs the collector what new ones cost."""
CONNECTIONS = 8
PATIENCE_SECONDS = 5.0
NOW = 1_700_000_000.0
NAMES = ("Product Viewed", "Product Viewed", "Product Viewed", "Product Added", "Product Removed")


@dataclass(frozen=True)
class Load:
    """How calls were answered: calls and events a second, milliseconds, calls that were not answered 200."""

    calls: float
    events: float
    p50: float
    p99: float
    failed: int


@dataclass(frozen=True)
class Found:
    """All figures. `visible` times each event until it shows; `behind`: events not yet applied after `offered`."""

    visible: Load
    floor_offered: Load
    offered: Load
    behind: int
    floor_most: Load
    most: Load


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--rate", type=int, default=2_000, help="events a second offered to /v1/batch")
    given = parser.parse_args()
    print_table(measure(load_settings(), given.seconds, given.rate))


def measure(settings: Settings, seconds: float, rate: int) -> Found:
    """Return the figures, and write them to `collect.json`.

    Args:
        settings: its Redis and broker are not touched. seconds: of each load. rate: events a second offered.

    Raises:
        ConfigError: the load has no sensible bound. PartError: a process did not start.
    """
    if not (0 < seconds <= LONGEST_SECONDS and BATCH <= rate <= MOST_PER_SECOND):
        raise ConfigError(
            f"Found {seconds} seconds and {rate} events a second, expected at most {LONGEST_SECONDS:.0f} seconds and "
            f"between {BATCH} and {MOST_PER_SECOND} events a second."
        )
    with tempfile.TemporaryDirectory() as name, EmbeddedRedis(free_port(), Path(name) / "redis") as server:
        own = {
            "redis": settings.redis.model_copy(update={"url": server.url}),
            "events": settings.events.model_copy(update={"broker_url": None}),
        }
        with running(port := free_port(), server.url, Path(name)):
            found = asyncio.run(_measure(settings.model_copy(update=own), port, seconds, rate))
    report = provenance("python -m benchmarks.collect", "synthetic events") | {"seconds": seconds, "rate": rate}
    write_json(settings.work.reports / "collect.json", report | asdict(found))
    return found


def print_table(found: Found) -> None:
    """Print the figures, the collector's next to the floor's."""
    table = Table(title="Collecting over HTTP", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("load", "calls per second", "events per second", "p50 ms", "p99 ms", "failed"):
        table.add_column(heading, justify="left" if heading == "load" else "right")
    for name, load in [
        ("floor: empty handler, offered", found.floor_offered),
        (f"/v1/batch of {BATCH}, offered", found.offered),
        ("floor: empty handler, most", found.floor_most),
        (f"/v1/batch of {BATCH}, most", found.most),
        ("/v1/track until visible, offered", found.visible),
    ]:
        cells = (f"{load.calls:,.0f}", f"{load.events:,.0f}", f"{load.p50:.1f}", f"{load.p99:.1f}", str(load.failed))
        table.add_row(name, *cells)
    console = Console(width=110)
    console.print(table)
    console.print(f"When the offered batches ended, {found.behind:,} events waited to be applied.")


def call(number: int, session: str, chance: random.Random) -> dict[str, Any]:
    """Return a call as clients make it."""
    return {
        "type": "track",
        "event": chance.choice(NAMES),
        "messageId": str(UUID(int=chance.getrandbits(128))),
        "anonymousId": session,
        "timestamp": datetime.fromtimestamp(NOW + number, UTC).isoformat(),
        "properties": {"product_id": f"{chance.randrange(10**6):07d}", "quantity": 1, "price": 2.99},
        "context": {"device": {"type": "mobile"}, "page": {"referrer": "https://www.example.com/"}},
    }


async def _measure(settings: Settings, port: int, seconds: float, rate: int) -> Found:
    chance = random.Random(1)
    bodies = _bodies(BODIES, chance)
    floor, batches = ([request("POST", path, body) for body in bodies] for path in (FLOOR, "/v1/batch"))
    fresh = [request("POST", "/v1/batch", body) for body in _bodies(int(rate / BATCH * seconds) + 1, chance)]
    async with _connections(port) as post, redis.Redis.from_url(settings.redis_url) as client:
        for raw in (floor, batches):  # not counted
            await _closed(post, raw, min(1.0, seconds))
        visible = await _visible(post, client, seconds)
        floor_offered = await _offered(post, floor, rate / BATCH, seconds)
        offered = await _offered(post, fresh, rate / BATCH, seconds)
        behind = await _waiting(settings)
        floor_most = await _closed(post, floor, seconds)
        most = await _closed(post, batches, seconds)
    return Found(visible, floor_offered, offered, behind, floor_most, most)


def _bodies(count: int, chance: random.Random) -> list[bytes]:
    return [
        json.dumps({"batch": [call(n, f"s{chance.randrange(SESSIONS)}", chance) for n in range(BATCH)]}).encode()
        for _ in range(count)
    ]


Post = Callable[[bytes], Awaitable[int]]


@asynccontextmanager
async def _connections(port: int) -> AsyncIterator[Post]:
    """Keep connections open; yield what sends a request over the next free one and returns the answer's status."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))

    async def post(raw: bytes) -> int:
        reader, writer = await free.get()
        try:
            writer.write(raw)
            return (await answer(reader))[0]
        finally:
            free.put_nowait((reader, writer))

    yield post
    while not free.empty():
        _, writer = free.get_nowait()
        writer.close()
        await writer.wait_closed()


async def _offered(post: Post, requests: Sequence[bytes], per_second: float, seconds: float) -> Load:
    """Send at a steady rate, whether answers come or not; the wait for a free connection counts."""

    async def one(number: int, due: float) -> tuple[float, bool]:
        status = await post(requests[number % len(requests)])
        return time.perf_counter() - due, status == OK

    return await _steadily(one, per_second, seconds, BATCH)


async def _visible(post: Post, client: Any, seconds: float) -> Load:
    chance = random.Random(2)

    async def one(number: int, due: float) -> tuple[float, bool]:
        session, at = f"v{number % 200}", NOW + number
        ok = await post(request("POST", "/v1/track", json.dumps(call(number, session, chance)).encode())) == OK
        while ok and decode_record(await client.get(session_key(session))).last_event_at < at:
            await asyncio.sleep(0.001)
            ok = time.perf_counter() - due < PATIENCE_SECONDS
        return time.perf_counter() - due, ok

    return await _steadily(one, VISIBLE_RATE, seconds, 1)


async def _steadily(
    one: Callable[[int, float], Awaitable[tuple[float, bool]]], per_second: float, seconds: float, events: int
) -> Load:
    started, tasks = time.perf_counter(), []
    for number in range(max(1, int(seconds * per_second))):
        due = started + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.ensure_future(one(number, due)))
    outcomes = await asyncio.gather(*tasks)
    return _load([taken for taken, _ in outcomes], sum(not ok for _, ok in outcomes), started, events)


async def _closed(post: Post, requests: Sequence[bytes], seconds: float) -> Load:
    """Send over every connection as soon as the one before is answered."""
    started, numbers, times, failed = time.perf_counter(), itertools.count(), list[float](), 0

    async def again() -> None:
        nonlocal failed
        while (sent := time.perf_counter()) < started + seconds:
            failed += await post(requests[next(numbers) % len(requests)]) != OK
            times.append(time.perf_counter() - sent)

    await asyncio.gather(*(again() for _ in range(CONNECTIONS)))
    return _load(times, failed, started, BATCH)


def _load(times: Sequence[float], failed: int, started: float, events: int) -> Load:
    answered = (len(times) - failed) / (time.perf_counter() - started)
    p50, p99 = np.percentile(np.array(times) * 1_000, [50, 99])
    return Load(answered, answered * events, float(p50), float(p99), failed)


async def _waiting(settings: Settings) -> int:
    async with connect(settings) as broker:
        lag = await broker.lag()
    return lag.waiting + lag.unacknowledged


if __name__ == "__main__":
    main()
