"""How long recommendations take over HTTP, next to an empty handler of the same process in the same run.

    tillwise up --detach && python -m benchmarks.latency --seconds 10 --connections 1

A closed loop: each connection asks again as soon as it is answered. Client, service and Redis share the machine, so
read the figures as ratios. Only addresses on this machine are accepted.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.wire import OK, answer, request
from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.history import ingest_record

LONGEST_SECONDS = 120.0
MOST_CONNECTIONS = 64
CARTS = 200
SESSIONS = 10_000
"""A session's same question is answered from memory for about two seconds: none comes back so soon."""


@dataclass(frozen=True)
class Measured:
    """Latencies of one kind of request, in milliseconds, and what was asked per second."""

    p50: float
    p95: float
    p99: float
    per_second: float
    failed: int


def main() -> None:
    """Measure and print."""
    settings = load_settings()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=settings.service_url)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=1)
    given = parser.parse_args()
    print_table(measure(settings, given.url, given.seconds, given.connections))


def measure(settings: Settings, url: str, seconds: float, connections: int) -> dict[str, Measured]:
    """Return the figures of the floor and of each arm, and write them to `bench.json`.

    Raises:
        ConfigError: the address is not on this machine, or the load has no sensible bound.
    """
    if urlsplit(url).hostname not in {"127.0.0.1", "localhost", "::1"}:
        raise ConfigError(f"{url} is not on this machine: this benchmark loads 127.0.0.1 only.")
    if not (0 < seconds <= LONGEST_SECONDS and 0 < connections <= MOST_CONNECTIONS):
        raise ConfigError(f"Ask for at most {LONGEST_SECONDS:.0f} seconds and {MOST_CONNECTIONS} connections.")
    carts = _carts(url)
    requests = {"floor: GET /livez": [_request("GET", "/livez")]}
    for arm in ("model", "frequently_bought_together", "popularity"):
        told = itertools.islice(itertools.cycle(carts), SESSIONS)
        bodies = [{"cart": cart, "k": 10, "arm": arm, "session_id": f"bench-{n}"} for n, cart in enumerate(told)]
        requests[f"POST /v1/recommendations, {arm}"] = [_request("POST", "/v1/recommendations", b) for b in bodies]
    for raw in requests.values():  # not counted
        asyncio.run(_load(url, raw, min(seconds, 1.0), connections))
    figures = {name: asyncio.run(_load(url, raw, seconds, connections)) for name, raw in requests.items()}
    data = ingest_record(settings.work.data)["fingerprint"]
    report = provenance("python -m benchmarks.latency", data) | {"connections": connections, "seconds": seconds}
    report["latency_ms"] = {name: vars(found) for name, found in figures.items()}
    write_json(settings.work.reports / "bench.json", report)
    return figures


def print_table(figures: dict[str, Measured]) -> None:
    """Print each kind of request next to the floor."""
    table = Table(title="Latency over HTTP, milliseconds")
    for heading in ("request", "p50", "p95", "p99", "per second", "p50 / floor", "failed"):
        table.add_column(heading, justify="left" if heading == "request" else "right")
    floor = next(iter(figures.values()))
    for name, found in figures.items():
        cells = [f"{value:.2f}" for value in (found.p50, found.p95, found.p99)]
        table.add_row(name, *cells, f"{found.per_second:,.0f}", f"{found.p50 / floor.p50:.1f}", str(found.failed))
    Console().print(table)


def _carts(url: str) -> list[list[dict[str, str]]]:
    found = httpx.get(f"{url}/v1/products", params={"limit": 100}, timeout=10).raise_for_status().json()["items"]
    products = [item["product_id"] for item in found]
    draw = np.random.default_rng(1)
    return [
        [{"product_id": product} for product in draw.choice(products, min(len(products), size), replace=False)]
        for size in draw.integers(1, 16, CARTS)
    ]


def _request(verb: str, path: str, body: object = None) -> bytes:
    return request(verb, path, b"" if body is None else json.dumps(body).encode())


async def _load(url: str, requests: list[bytes], seconds: float, connections: int) -> Measured:
    parts = urlsplit(url)
    deadline = time.perf_counter() + seconds
    started = time.perf_counter()
    found = await asyncio.gather(
        *(
            _connection(
                str(parts.hostname), parts.port or 80, itertools.cycle(requests[n::connections] or requests), deadline
            )
            for n in range(connections)
        )
    )
    taken = np.concatenate([times for times, _ in found]) * 1_000
    p50, p95, p99 = np.percentile(taken, [50, 95, 99])
    rate = taken.size / (time.perf_counter() - started)
    return Measured(float(p50), float(p95), float(p99), float(rate), sum(failed for _, failed in found))


async def _connection(host: str, port: int, requests: Iterator[bytes], deadline: float) -> tuple[list[float], int]:
    """Ask over one kept-open connection until the deadline; return the seconds of each answer and how many failed."""
    reader, writer = await asyncio.open_connection(host, port)
    times: list[float] = []
    failed = 0
    while (started := time.perf_counter()) < deadline:
        writer.write(next(requests))
        status, _ = await answer(reader)
        times.append(time.perf_counter() - started)
        failed += status != OK
    writer.close()
    await writer.wait_closed()
    return times, failed


if __name__ == "__main__":
    main()
