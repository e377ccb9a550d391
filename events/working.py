"""How a process that consumes events works: step by step until it is told to stop, waiting for what is away."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable

import structlog

WAIT_MS = 500
"""Longest that a step waits for events, and so that a signal to stop is not noticed."""
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0)

log = structlog.get_logger()


def own_name() -> str:
    """Return a name that no other consuming process has."""
    return f"{socket.gethostname()}-{os.getpid()}"


def run_until_told(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run `work` in an event loop of its own; SIGTERM and SIGINT set the event that it is given."""

    async def inside() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        await work(stop)

    asyncio.run(inside())


async def step_until(
    stop: asyncio.Event, step: Callable[[], Awaitable[None]], passing: tuple[type[Exception], ...]
) -> None:
    """Do step after step until `stop` is set; after an error that passes, try again with growing pauses.

    Args:
        stop: ends it, between two steps. step: finishes what it takes. passing: errors that mean: not now.
    """
    failures = 0
    while not stop.is_set():
        try:
            await step()
            if failures:
                log.info("events are taken again")
            failures = 0
        except passing as error:
            if not failures:
                log.warning("events cannot be taken now, trying again", error=str(error).partition("\n")[0])
            pause = RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)]
            failures += 1
            await _pause(stop, pause)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return
