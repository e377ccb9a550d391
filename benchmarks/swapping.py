"""What `benchmarks.swap` loads: a service of its own, packages to swap between, and requests at a steady rate."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from benchmarks.wire import OK, answer, request
from configs import Settings
from configs.errors import PartError
from training.golden import Golden
from training.package import ModelPackage, save_package
from training.selftest import recorded

READY_SECONDS = 120.0
PATIENCE_SECONDS = 60.0
CONNECTIONS = 16
MIB = 2**20


@dataclass(frozen=True)
class Packages:
    """Folders by version, in the order of swapping: a package, and copies of it that rank otherwise; and a broken one.

    Three of them, since a worker keeps two: each swap to the next one has to load it.
    """

    folders: dict[str, Path]
    corrupt: Path


@dataclass
class Answers:
    """What came back: when each request was due (perf_counter), seconds until its answer, version that answered."""

    due: list[float] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    version: list[str] = field(default_factory=list)
    failed: int = 0

    def last_of(self, version: str, start: float, end: float) -> float:
        """Return when the last request between two moments was due that a version answered; `start` if none was."""
        found = zip(self.due, self.version, strict=True)
        return max((due for due, by in found if by == version and start <= due < end), default=start)


def make_packages(original: Path, into: Path) -> Packages:
    """Write copies of a package that answer otherwise than it, being more eager for products new to the shopper."""
    package = ModelPackage.load(original)
    folders = {package.version: original}
    for number, more in enumerate((0.5, 1.0)):
        ranking = package.ranking.model_copy(update={"discovery": package.ranking.discovery + more})
        (folder := into / f"copy-{number}").mkdir(parents=True)
        version = save_package(folder, recorded(replace(package, version="", ranking=ranking), package.golden))
        folders[version] = folder
    return Packages(folders, _broken(folder, into / "corrupt"))


def _broken(folder: Path, into: Path) -> Path:
    into.mkdir()
    for path in folder.iterdir():
        (into / path.name).symlink_to(path)
    (into / "ranker.txt").unlink()
    (into / "ranker.txt").write_bytes((folder / "ranker.txt").read_bytes()[:-1])
    return into


def workers(settings: Settings) -> dict[int, dict[str, Any]]:
    """Return what each worker says of its model, by process id; every question over a connection of its own."""
    found: dict[int, dict[str, Any]] = {}
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(found) < settings.serving.workers:
        connection = HTTPConnection(settings.serving.host, settings.serving.port, timeout=10)
        connection.request("GET", "/v1/status")
        told = json.loads(connection.getresponse().read())["model"]
        connection.close()
        found[told["process"]] = told
        if time.monotonic() > deadline:
            raise PartError(f"Only {len(found)} of {settings.serving.workers} workers answer.")
    return found


def megabytes(pids: Sequence[int]) -> dict[str, float]:
    """Return MiB a worker, their mean: resident, and proportional (what is shared counts for each sharer's part)."""
    found = [psutil.Process(pid).memory_full_info() for pid in pids]
    return {name: float(np.mean([getattr(one, name) for one in found])) / MIB for name in ("rss", "pss")}


def bodies(asked: Sequence[Golden]) -> list[bytes]:
    """Return recommendation requests with the carts of recorded ones."""
    carts = [[{"product_id": product} for product in item.cart] for item in asked if item.cart]
    return [request("POST", "/v1/recommendations", json.dumps({"cart": cart, "k": 10}).encode()) for cart in carts]


async def steadily(port: int, raw: Sequence[bytes], rate: float, until: asyncio.Event) -> Answers:
    """Send at a steady rate, whether answers come or not, until told to end; the wait for a connection counts."""
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        free.put_nowait(await asyncio.open_connection("127.0.0.1", port))
    found, tasks, started, number = Answers(), set[asyncio.Task[None]](), time.perf_counter(), 0
    while not until.is_set():
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        task = asyncio.ensure_future(_one(free, raw[number % len(raw)], due, found))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        number += 1
    await asyncio.gather(*tasks)
    while not free.empty():
        free.get_nowait()[1].close()
    return found


async def _one(
    free: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]], raw: bytes, due: float, found: Answers
) -> None:
    reader, writer = await free.get()
    try:
        writer.write(raw)
        status, body = await answer(reader)
        found.due.append(due)
        found.took.append(time.perf_counter() - due)
        told = json.loads(body)
        found.version.append(told.get("model_version", ""))
        # An answer from a lesser arm is no failure of HTTP, but swapping must not cause one.
        found.failed += status != OK or told["arm"] != "model" or not told["items"]
    except (OSError, asyncio.IncompleteReadError):
        found.failed += 1
        return
    finally:
        free.put_nowait((reader, writer))
