"""What live profiles cost: the consumer alone, the cost per event at many live sessions, bytes, and time to visible.

    python -m benchmarks.profiles [--events 50000] [--seconds 5] [--full]

Starts a Redis of its own in a temporary folder. The floor of the consumer is what any consumer of a stream does: read
a batch, write one value per event, acknowledge. Client and Redis share the machine: read the figures as ratios.
`--full` adds a million live sessions (about 2 GB of memory).
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import redis.asyncio as redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from events.brokers import connect
from events.consumer import Worker
from events.contract import Event, Line
from events.embedded import EmbeddedRedis
from events.session import SessionRecord, decode_record, encode_record, session_key
from events.session.record import Limits
from pipelines.parts.ports import free_port

SEEDED = (1_000, 100_000)
FULL = 1_000_000
RATE = 500
REPEATS = 3
"""Of each backlog; the fastest counts, since other work on the machine only ever slows down."""
EVENTS_PER_SESSION = 30
NOW = 1_700_000_000.0
NAMES = ["Product Viewed"] * 5 + ["Product Added"] * 2 + ["Product Removed"]


@dataclass(frozen=True)
class Rate:
    """Events applied from a full backlog: live sessions there were, events per second, own CPU µs per event."""

    sessions: int
    per_second: float
    cpu: float


@dataclass(frozen=True)
class Found:
    """All figures; latencies in milliseconds from publishing to the session record that shows the event."""

    floor: Rate
    consumer: list[Rate]
    record_bytes: int
    redis_bytes: int
    offered: int
    p50: float
    p99: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=50_000, help="of each backlog")
    parser.add_argument("--seconds", type=float, default=5.0, help="of offering events one by one")
    parser.add_argument("--full", action="store_true", help="a million live sessions too")
    given = parser.parse_args()
    seeded = (*SEEDED, FULL) if given.full else SEEDED
    print_table(measure(load_settings(), given.events, given.seconds, seeded))


def measure(settings: Settings, events: int, seconds: float, seeded: Sequence[int] = SEEDED) -> Found:
    """Return the figures, and write them to `profiles.json`.

    Args:
        settings: its Redis is not touched. events: of each backlog. seconds: of offering events.
        seeded: numbers of live sessions at which the consumer is measured, ascending.

    Raises:
        ConfigError: nothing is to be measured.
    """
    if events < 1 or seconds <= 0:
        raise ConfigError(f"Found {events} events and {seconds} seconds, expected at least one and more than none.")
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis(free_port(), Path(folder)) as server:
        own = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})})
        found = asyncio.run(_measure(own, events, seconds, seeded))
    report = provenance("python -m benchmarks.profiles", "synthetic events") | {"events": events, "seconds": seconds}
    write_json(settings.work.reports / "profiles.json", report | asdict(found))
    return found


def print_table(found: Found) -> None:
    """Print the figures, the consumer's next to the floor."""
    table = Table(title="Live profiles", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("from a full backlog", "live sessions", "events per second", "CPU µs per event", "CPU / floor"):
        table.add_column(heading, justify="left" if heading.startswith("from") else "right")
    for name, rate in [
        ("floor: read, set, acknowledge", found.floor),
        *(("consumer", rate) for rate in found.consumer),
    ]:
        cells = (
            f"{rate.per_second:,.0f}",
            f"{1e6 / rate.per_second:.0f}",
            f"{found.floor.per_second / rate.per_second:.1f}",
        )
        table.add_row(name, f"{rate.sessions:,}", *cells)
    console = Console(width=110)
    console.print(table)
    console.print(
        f"A session of {EVENTS_PER_SESSION} events: {found.record_bytes:,} bytes, in Redis {found.redis_bytes:,} "
        f"bytes with its key.\nPublished to visible at {found.offered:,} events per second: "
        f"p50 {found.p50:.1f} ms, p99 {found.p99:.1f} ms."
    )


def session_events(session: str, count: int, chance: random.Random, start: float = NOW) -> list[Event]:
    """Return a plausible session: looks, cart changes, steps, with message ids as clients make them."""
    return [
        Event(
            str(UUID(int=chance.getrandbits(128))),
            "track",
            name := chance.choice(NAMES),
            session,
            f"shopper-{session}" if number > count // 2 else None,
            start + number * 20.0,
            (Line(f"{chance.randrange(10**6):07d}", 1.0, 2.99, 0.5 if name == "Product Added" else 0.0),),
            context={"device": "mobile", "country": "US", "referrer": "https://www.example.com/"},
            anonymous_id=session,
        )
        for number in range(count)
    ]


async def _measure(settings: Settings, events: int, seconds: float, seeded: Sequence[int]) -> Found:
    client: Any = redis.Redis.from_url(settings.redis_url)
    chance = random.Random(1)
    try:
        floor = await _floor(settings, client, await _backlog(settings, events, 1_000, chance))
        await client.flushall()
        consumer = []
        for sessions in seeded:
            await _seed(client, sessions, chance)
            rates = []
            for _ in range(REPEATS):
                await _backlog(settings, events, sessions, chance)
                rates.append(await _consume(settings, client, events, sessions))
            consumer.append(max(rates, key=lambda rate: rate.per_second))
        record = SessionRecord().after(session_events("0" * 36, EVENTS_PER_SESSION, chance), _limits(settings))
        await client.set(session_key("0" * 36), encode_record(record), ex=3_600)
        memory = await client.memory_usage(session_key("0" * 36))
        offered, p50, p99 = await _visible(settings, client, seconds)
        return Found(floor, consumer, len(encode_record(record)), int(memory), offered, p50, p99)
    finally:
        await client.aclose()


async def _seed(client: Any, sessions: int, chance: random.Random) -> None:
    """Make that many live sessions, each of an ordinary length."""
    made = [encode_record(SessionRecord().after(session_events("s", 15, chance), Limits(100, 100))) for _ in range(100)]
    for start in range(0, sessions, 5_000):
        await client.mset({session_key(f"s{n}"): made[n % 100] for n in range(start, min(sessions, start + 5_000))})
    while (await client.info("persistence"))["aof_rewrite_in_progress"]:
        await asyncio.sleep(0.1)  # so much at once makes Redis tidy its file, which is not what is measured


async def _backlog(settings: Settings, count: int, sessions: int, chance: random.Random) -> int:
    """Publish events of random live sessions; return how many."""
    broker = connect(settings)
    for start in range(0, count, 1_000):
        few = range(start, min(count, start + 1_000))
        await broker.publish(
            [session_events(f"s{chance.randrange(sessions)}", 1, chance, NOW + number)[0] for number in few]
        )
    await broker.close()
    return count


async def _consume(settings: Settings, client: Any, events: int, sessions: int) -> Rate:
    broker = connect(settings)
    worker = Worker(settings, broker, client)
    started, cpu = time.perf_counter(), time.process_time()
    while worker.applied < events:
        await worker.step()
    rate = _rate(sessions, events, started, cpu)
    await broker.close()
    await client.delete(*(f"{settings.events.stream}:{number}" for number in range(settings.events.partitions)))
    return rate


async def _floor(settings: Settings, client: Any, events: int) -> Rate:
    """Return how fast a consumer is that sets one value per event and decides nothing."""
    streams: dict[Any, Any] = {f"{settings.events.stream}:{part}": ">" for part in range(settings.events.partitions)}
    value, done, share = b"x" * 1_000, 0, settings.events.batch // settings.events.partitions
    for stream in streams:
        await client.xgroup_create(stream, "floor", id="0", mkstream=True)
    started, cpu = time.perf_counter(), time.process_time()
    while done < events:
        found = await client.xreadgroup("floor", "one", streams, count=share)
        async with client.pipeline(transaction=False) as pipe:
            for _, entries in found:
                for token, _ in entries:
                    pipe.set(b"floor:" + token, value, ex=3_600)
            for stream, entries in found:
                pipe.xack(stream, "floor", *(token for token, _ in entries))
            await pipe.execute()
        done += sum(len(entries) for _, entries in found)
    return _rate(1_000, events, started, cpu)


def _rate(sessions: int, events: int, started: float, cpu: float) -> Rate:
    taken, own = time.perf_counter() - started, time.process_time() - cpu
    return Rate(sessions, events / taken, own / events * 1e6)


async def _visible(settings: Settings, client: Any, seconds: float) -> tuple[int, float, float]:
    """Return (events per second offered, p50, p99): each event is a session's checkout step, looked for at once."""
    broker, consumed = connect(settings), connect(settings)
    worker = Worker(settings, consumed, client)
    stop = asyncio.Event()
    consuming = asyncio.create_task(_until(stop, worker))
    count = int(seconds * RATE)
    started = time.perf_counter()
    tasks = []
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
        tasks.append(asyncio.create_task(_one(broker, client, number)))
    offered = count / (time.perf_counter() - started)
    taken = np.array(await asyncio.gather(*tasks)) * 1_000
    stop.set()
    await consuming
    await broker.close()
    await consumed.close()
    p50, p99 = np.percentile(taken, [50, 99])
    return round(offered), float(p50), float(p99)


async def _until(stop: asyncio.Event, worker: Worker) -> None:
    while not stop.is_set():
        await worker.step()


async def _one(broker: Any, client: Any, number: int) -> float:
    """Publish one event; return the seconds until the session's record holds it."""
    session = f"v{number % 200}"
    started = time.perf_counter()
    await broker.publish([Event(f"v{number}", "track", "Checkout Step Viewed", session, None, NOW + number)])
    while decode_record(await client.get(session_key(session))).last_event_at < NOW + number:
        await asyncio.sleep(0.001)
    return time.perf_counter() - started


def _limits(settings: Settings) -> Limits:
    return Limits(settings.events.max_session_events, settings.events.max_session_products)


if __name__ == "__main__":
    main()
