"""What `benchmarks.chaos` runs and what it does to it: the service with its workers, Redis, a proxy between them."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import redis.asyncio as redis

from benchmarks.chaos_load import SESSIONS, session_of
from benchmarks.chaos_proxy import Proxy
from benchmarks.swapping import Packages, make_packages
from configs import Settings, SilentProgress
from configs.errors import PartError
from events.contract import Event, Line
from events.embedded import EmbeddedRedis
from events.profiles import ProfileStore
from events.session import session_key
from features.history import load_history
from features.online import ShopperReader
from features.store import materialize
from pipelines.parts.command import CommandPart
from pipelines.parts.own import service_part
from pipelines.parts.ports import free_port
from training.aliases import CHAMPION, point

READY_SECONDS = 120.0
QUIET_PERCENT = 60.0
YOUNG_SECONDS = 2.0
"""Within which a worker may not yet have begun to work hard."""
ADDED_LATENCY = 0.2
GARBAGE = b"\xc1\xff garbage"
SHOPPERS = 100
FOLLOW_SECONDS = 0.1
SWAPS = 20
SWAP_SECONDS = 0.25
"""Between two swaps of models that the workers hold, so that none is passed over."""


@dataclass
class Scene:
    """Everything that runs.

    Attributes:
        port: of the service. service: as a part. server: Redis. proxy: between the two.
        settings: of the service. client: of Redis, past the proxy.
        shoppers: ids that are asked for. kept: what keys held before garbage took its place.
        packages: to swap between. task: what goes on during a phase.
        notes: what else there is to tell. killed: pid of a worker, and monotonic seconds at which it was killed.
    """

    port: int
    service: CommandPart
    server: EmbeddedRedis
    proxy: Proxy
    settings: Settings
    client: Any
    shoppers: Sequence[str]
    packages: Packages
    task: asyncio.Task[None] | None = None
    kept: dict[bytes, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    killed: tuple[int, float] = (0, 0.0)

    def point(self, version: str, folder: Path) -> None:
        """Let the champion's pointer name a package."""
        point(self.settings.work, CHAMPION, version="1", package=version, folder=folder, by="benchmarks.chaos")

    def workers(self) -> list[psutil.Process]:
        """Return the service's worker processes."""
        leader = self.service.pid
        found: list[psutil.Process] = [] if leader is None else psutil.Process(leader).children()
        return found


Act = Callable[[Scene], Awaitable[None]]


async def nothing(_: Scene) -> None:
    """Leave everything as it is."""


@dataclass(frozen=True)
class Disturbance:
    """Something that goes wrong for a while: `begin` makes it so, `end` makes it well again."""

    name: str
    begin: Act
    end: Act = nothing


async def _stop_redis(scene: Scene) -> None:
    await asyncio.to_thread(scene.server.stop)


async def _start_redis(scene: Scene) -> None:
    await asyncio.to_thread(scene.server.start)


async def _slow(scene: Scene) -> None:
    scene.proxy.delay = ADDED_LATENCY


async def _silent(scene: Scene) -> None:
    scene.proxy.silent = True


async def _lying(scene: Scene) -> None:
    scene.proxy.lying = True


async def _well(scene: Scene) -> None:
    scene.proxy.delay, scene.proxy.silent, scene.proxy.lying = 0.0, False, False


async def _spoil_keys(scene: Scene) -> None:
    """Write garbage over every other session and every other shopper's features."""
    reader = ShopperReader()
    sessions = [session_key(session_of(number)).encode() for number in range(0, SESSIONS, 2)]
    shoppers = [reader.key(shopper) for shopper in scene.shoppers[::2]]
    for key in (*sessions, *shoppers):
        if (held := await scene.client.dump(key)) is not None:
            scene.kept[key] = held
    for key in sessions:
        await scene.client.set(key, GARBAGE)
    for key in shoppers:
        await scene.client.hset(key, mapping=dict.fromkeys(reader.fields, GARBAGE))


async def _restore_keys(scene: Scene) -> None:
    for key, held in scene.kept.items():
        await scene.client.restore(key, 0, held, replace=True)
    scene.kept.clear()


async def _kill_worker(scene: Scene) -> None:
    """`kill -9` one of the workers; BentoML starts another."""
    victim = random.Random(scene.port).choice(scene.workers())
    victim.kill()
    scene.killed = victim.pid, time.monotonic()


async def _await_worker(scene: Scene) -> None:
    """Return once BentoML has started another worker and that has loaded its model."""
    pid, began = scene.killed
    deadline = time.monotonic() + READY_SECONDS
    while len([one for one in scene.workers() if one.pid != pid]) < scene.settings.serving.workers:
        if time.monotonic() > deadline:
            raise PartError("BentoML started no other worker in place of the one that was killed.")
        await asyncio.sleep(0.1)
    started = time.monotonic() - began
    await _until_idle(scene, deadline)
    ready = time.monotonic() - began
    scene.notes.append(f"A killed worker was started again after {started:.1f} s and at rest after {ready:.1f} s.")


async def _swap(scene: Scene) -> None:
    scene.task = asyncio.create_task(_swapping(scene))


async def _swapping(scene: Scene) -> None:
    """Swap the model again and again: the first time workers load it, from then on they hold both."""
    (first, folder), (second, other) = list(scene.packages.folders.items())[:2]
    scene.point(second, other)
    async with httpx.AsyncClient() as http:
        deadline = time.monotonic() + READY_SECONDS
        while (await _serving(http, scene.port)) != second:
            if time.monotonic() > deadline:
                raise PartError(f"The workers did not follow to package {second}.")
            await asyncio.sleep(SWAP_SECONDS)
    for number in range(1, SWAPS):
        scene.point(*((second, other) if number % 2 == 0 else (first, folder)))
        await asyncio.sleep(SWAP_SECONDS)
    scene.notes.append(f"The model was swapped {SWAPS} times.")


async def _await_swaps(scene: Scene) -> None:
    if scene.task is not None:
        await scene.task
    await _original(scene)


async def _offer_corrupt(scene: Scene) -> None:
    scene.point("corrupt", scene.packages.corrupt)


async def _original(scene: Scene) -> None:
    scene.point(*next(iter(scene.packages.folders.items())))


async def _serving(http: httpx.AsyncClient, port: int) -> str:
    """Return the version that serves."""
    try:
        return str((await http.get(f"http://127.0.0.1:{port}/v1/status", timeout=2)).json()["model_version"])
    except httpx.HTTPError:
        return ""


DISTURBANCES: tuple[Disturbance, ...] = (
    Disturbance("Redis stopped", _stop_redis, _start_redis),
    Disturbance("Redis 200 ms late", _slow, _well),
    Disturbance("Redis silent", _silent, _well),
    Disturbance("garbage from Redis", _lying, _well),
    Disturbance("garbage in keys", _spoil_keys, _restore_keys),
    Disturbance("model swapped", _swap, _await_swaps),
    Disturbance("corrupt package", _offer_corrupt, _original),
    Disturbance("worker killed", _kill_worker, _await_worker),
)


@asynccontextmanager
async def running(settings: Settings, folder: Path, products: Sequence[str]) -> AsyncIterator[Scene]:
    """Run everything while the block lasts; yield it once every worker is up and idle.

    Args:
        settings: of the service; its Redis and ports are replaced.
        folder: empty, for what is written. products: ids that carts are made of.

    Raises:
        PartError: the service did not start; tells the end of its output.
    """
    port, proxied = free_port(), free_port()
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedRedis(free_port(), folder / "redis"))
        filled = settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": server.url})})
        own = settings.model_copy(
            update={
                "home": folder,
                "redis": settings.redis.model_copy(update={"url": f"redis://127.0.0.1:{proxied}/0"}),
                "events": settings.events.model_copy(update={"broker_url": server.url}),
                "serving": settings.serving.model_copy(
                    update={"port": port, "package": None, "follow_seconds": FOLLOW_SECONDS}
                ),
            }
        )
        packages = make_packages(package_of(settings), folder / "packages")
        version, original = next(iter(packages.folders.items()))
        point(own.work, CHAMPION, version="1", package=version, folder=original, by="benchmarks.chaos")
        service = service_part(own, "bench-service")
        service.start()
        stack.callback(service.stop)
        async with Proxy(proxied, server.port) as proxy, redis.Redis.from_url(server.url) as client:
            await asyncio.to_thread(materialize, filled, SilentProgress())  # while the service starts
            shoppers = await _known_shoppers(settings)
            await _fill_sessions(client, settings, products)
            scene = Scene(port, service, server, proxy, own, client, shoppers, packages)
            await _until_ready(scene)
            yield scene


def package_of(settings: Settings) -> Path:
    """Return the folder of the model package that is served."""
    return settings.serving.package or settings.work.model


async def _known_shoppers(settings: Settings) -> list[str]:
    history = await asyncio.to_thread(load_history, settings.work.data)
    return history.shopper_ids[:SHOPPERS]


async def _fill_sessions(client: Any, settings: Settings, products: Sequence[str]) -> None:
    chance, now = random.Random(2), time.time()
    events = [
        Event(f"chaos-{number}-{place}", "track", "Product Added", session_of(number), None, now, (Line(product),))
        for number in range(SESSIONS)
        for place, product in enumerate(chance.sample(products, min(len(products), chance.randint(1, 6))))
    ]
    await ProfileStore(client, settings.events).apply(events)


async def _until_ready(scene: Scene) -> None:
    """Return once the service is ready and all of its workers have come to rest after starting."""
    deadline = time.monotonic() + READY_SECONDS
    while not await asyncio.to_thread(scene.service.ready):
        if time.monotonic() > deadline or not scene.service.alive():
            raise PartError(f"The service did not start: {scene.service.last_words()}.")
        await asyncio.sleep(0.1)
    await _until_idle(scene, deadline)


async def _until_idle(scene: Scene, deadline: float) -> None:
    """Return once all workers that are wanted are there, and none works as hard as one that loads a model."""
    wanted = scene.settings.serving.workers
    while time.monotonic() < deadline:
        workers = scene.workers()
        with contextlib.suppress(psutil.Error):  # one of them ended meanwhile
            for worker in workers:
                worker.cpu_percent()
            await asyncio.sleep(0.5)
            old = all(time.time() - worker.create_time() > YOUNG_SECONDS for worker in workers)
            if old and len(workers) >= wanted and all(worker.cpu_percent() < QUIET_PERCENT for worker in workers):
                return
