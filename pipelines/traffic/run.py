"""Lets simulated shoppers come at a steady rate, and counts what they do."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from configs import Settings
from pipelines.shopping import service_client
from pipelines.traffic.behaviour import Market
from pipelines.traffic.figures import figures_of
from pipelines.traffic.shopper import Shop, Visited
from pipelines.traffic.visits import Crowd, Visit, crowd_of, plan_visits

OnPlayed = Callable[[int, int], None]
MOST_CONNECTIONS = 16
"""The client's work for a request grows with its connections; whoever thinks needs none."""


def simulate(
    settings: Settings, on_played: OnPlayed = lambda _, __: None, crowd: Crowd | None = None
) -> dict[str, Any]:
    """Let simulated shoppers visit the running service; return the figures that `figures_of` makes of it.

    Args:
        settings: where the service is; `traffic` says how many come, how fast, and how they behave.
        on_played: called with (visits made, visits in all) after each.
        crowd: whose baskets they have, for those who come again and again; read from the data when None.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: the test window holds no basket.
        PartError: the service does not answer.
    """
    traffic = settings.traffic
    crowd = crowd or crowd_of(settings)
    visits = list(plan_visits(crowd.baskets, traffic.sessions, traffic.seed, secrets.token_hex(4)))
    started = time.monotonic()
    made = asyncio.run(_visit_all(settings, visits, crowd.market, on_played))
    return figures_of(made, time.monotonic() - started)


async def _visit_all(settings: Settings, visits: Sequence[Visit], market: Market, on_played: OnPlayed) -> list[Visited]:
    traffic, made = settings.traffic, list[Visited]()
    places = asyncio.Semaphore(traffic.concurrency)
    connections = min(traffic.concurrency, MOST_CONNECTIONS)
    async with service_client(settings, connections) as http, asyncio.TaskGroup() as group:
        shop = Shop(http, market, traffic)

        async def come(visit: Visit) -> None:
            try:
                made.append(await shop.visit(visit))
            finally:
                places.release()
            on_played(len(made), len(visits))

        opened = time.monotonic()
        for number, visit in enumerate(visits):
            await asyncio.sleep(max(0.0, opened + number / traffic.rate - time.monotonic()))
            await places.acquire()
            group.create_task(come(visit))
    return made
