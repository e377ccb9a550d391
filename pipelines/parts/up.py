"""The parts of Tillwise and bringing them up: Redis, the consumer, the recorder, the follower, the service."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import redis

from configs import Settings
from configs.errors import AlreadyRunningError, NotBuiltError
from configs.home import read_json
from events.consumer import HEARTBEAT, beats_of
from events.record.beat import RECORDER_BEAT
from pipelines.build import build
from pipelines.display import Display
from pipelines.parts.base import Part
from pipelines.parts.command import CommandPart
from pipelines.parts.ports import require_free_ports
from pipelines.parts.probe import says_ok
from pipelines.parts.record import read_up
from pipelines.parts.redis import RedisPart
from pipelines.parts.supervisor import Supervisor, Tell
from training.following import FOLLOWER_BEAT

SERVICE_READY_SECONDS = 120.0
CONSUMER_READY_SECONDS = 60.0
PROBE_TIMEOUT_SECONDS = 2.0


@contextlib.contextmanager
def serving(settings: Settings, display: Display, tell: Tell) -> Iterator[Supervisor]:
    """Keep the parts running while the block lasts; yield their supervisor.

    Raises:
        AlreadyRunningError, PortBusyError: before anything is started.
        NotBuiltError: no features or no champion model have been built.
        PartError: a part did not become ready.
    """
    refuse_second(settings)
    require_free_ports(settings)
    require_built(settings)
    if settings.redis.url is not None:
        fill_redis(settings, display)
    with Supervisor(settings.work, parts_of(settings, display), tell) as supervisor:
        yield supervisor


def refuse_second(settings: Settings) -> None:
    """Check that nothing is up in this work folder.

    Raises:
        AlreadyRunningError: a supervisor runs; the message names its pid and its address.
    """
    record = read_up(settings.work)
    if record is not None and record.supervisor.process() is not None:
        raise AlreadyRunningError(
            f"Tillwise is already up in {settings.work.root} (process {record.supervisor.pid}, "
            f"{settings.service_url}): `tillwise down` stops it, `tillwise status` tells how it is."
        )


def require_built(settings: Settings) -> None:
    """Check that there is something to serve.

    Raises:
        NotBuiltError: there is not.
    """
    if not (settings.work.features / "features.json").exists():
        raise NotBuiltError(
            f"Nothing has been built in {settings.work.root} yet: `tillwise run` builds everything and serves it."
        )


def parts_of(settings: Settings, display: Display) -> list[Part]:
    """Return the parts in the order in which they start; Redis only if it is ours to run."""
    parts: list[Part] = []
    if settings.redis.url is None:
        parts.append(RedisPart(settings, after_ready=partial(fill_redis, settings, display)))

    def add(name: str, command: str, is_ready: Callable[[Settings, int], bool], deadline: float) -> None:
        line = [sys.executable, "-m", "pipelines.cli", command]
        parts.append(CommandPart(name, line, settings, is_ready=partial(is_ready, settings), deadline=deadline))

    add("consumer", "consume", consumer_is_ready, CONSUMER_READY_SECONDS)
    add("recorder", "record", recorder_is_ready, CONSUMER_READY_SECONDS)
    if settings.serving.package is None:
        add("follower", "follow", follower_is_ready, CONSUMER_READY_SECONDS)
    add("service", "serve", service_is_ready, SERVICE_READY_SECONDS)
    return parts


def fill_redis(settings: Settings, display: Display) -> None:
    """Write the newest features to Redis unless it holds them already."""
    build(settings, "materialize", display, alone=True)


def consumer_is_ready(settings: Settings, pid: int) -> bool:
    """Return whether the consumer with this process id works."""
    with redis.Redis.from_url(settings.redis_url, socket_timeout=PROBE_TIMEOUT_SECONDS) as client:
        try:
            # Typed Any: the library declares the answer as "value or awaitable".
            beats: Any = client.hgetall(HEARTBEAT)
        except redis.RedisError:
            return False
    return any(beat["pid"] == pid for beat in beats_of(beats))


def recorder_is_ready(settings: Settings, pid: int) -> bool:
    """Return whether the recorder with this process id has reached its database and its broker."""
    beat = read_json(settings.work.run / RECORDER_BEAT)
    return beat is not None and beat["pid"] == pid


def follower_is_ready(settings: Settings, pid: int) -> bool:
    """Return whether the follower with this process id has looked at the registry."""
    beat = read_json(settings.work.run / FOLLOWER_BEAT)
    return beat is not None and beat["pid"] == pid


def service_is_ready(settings: Settings, pid: int) -> bool:
    """Return whether the service, which runs in process `pid`, says that it can answer."""
    return says_ok(f"{settings.service_url}/readyz", PROBE_TIMEOUT_SECONDS)
