"""What is asked: held-out baskets of real shoppers, whose carts reach Redis through the live event path.

Each basket is played as a session of the replay: views, adds and the checkout go to /v1/identify and /v1/batch, through
the broker and the consumer into the session's record. A request then names session and shopper, and the service finds
the cart in the record.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import httpx
import numpy as np
from numpy.typing import NDArray
from redis.asyncio import Redis

from benchmarks.wire import request
from configs import Settings
from configs.errors import PartError
from features.definitions import assemble
from pipelines.parts.own import Service
from pipelines.replay.plan import PlannedSession, plan_sessions
from pipelines.replay.player import Player
from pipelines.shopping import with_key
from serving.state import StateReader
from training.candidates import generate
from training.package import ModelPackage
from training.protocol import held_out_cases
from training.recommender import Recommender

PATH = "/v1/recommendations"
AT_ONCE = 8
SEED = 5
K = 10


@dataclass(frozen=True)
class Candidates:
    """What the service ranks for one request: the shopper, the products' ids, and float32[products, columns]."""

    shopper_id: str
    products: list[str]
    features: NDArray[np.float32]


def plan(settings: Settings, count: int) -> list[PlannedSession]:
    """Return held-out baskets as sessions, sampled by seed."""
    return plan_sessions(held_out_cases(settings), count, SEED, run_id=f"bench-{secrets.token_hex(4)}")


def play(service: Service, plans: Sequence[PlannedSession]) -> None:
    """Send the sessions' events to the service, beside which a consumer runs; return when all records show all of them.

    Raises:
        PartError: an event was refused, or its effect is not visible in time.
    """
    asyncio.run(_play(service.settings, plans))


async def _play(settings: Settings, plans: Sequence[PlannedSession]) -> None:
    async with (
        Redis.from_url(settings.redis_url) as redis,
        httpx.AsyncClient(base_url=settings.service_url, timeout=10, auth=partial(with_key, settings.access)) as http,
    ):
        player, places = Player(http, redis, (), K), asyncio.Semaphore(AT_ONCE)

        async def in_turn(session: PlannedSession) -> bool:
            async with places:
                played = await player.play(session)
            return played.cart_complete and not played.errors

        arrived = await asyncio.gather(*(in_turn(session) for session in plans))
    if not all(arrived):
        missing = len(plans) - sum(arrived)
        raise PartError(f"The events of {missing} of {len(plans)} sessions did not reach their records.")


def requests_of(plans: Sequence[PlannedSession]) -> list[bytes]:
    """Return the raw requests for the sessions' recommendations."""
    bodies = (session.question("model", K) | {"shopper_id": session.shopper_id} for session in plans)
    return [request("POST", PATH, json.dumps(body).encode()) for body in bodies]


def candidates_of(settings: Settings, package: ModelPackage, plans: Sequence[PlannedSession]) -> list[Candidates]:
    """Return what the service ranks for each session: read from the same Redis, by the same code."""
    return asyncio.run(_candidates_of(settings, package, plans))


async def _candidates_of(
    settings: Settings, package: ModelPackage, plans: Sequence[PlannedSession]
) -> list[Candidates]:
    patient = settings.serving.model_copy(update={"redis_timeout_ms": 10_000.0})
    state = StateReader(settings.model_copy(update={"serving": patient}))
    recommender, ids, found = Recommender(package), package.products.ids, []
    for session in plans:
        known = await state.read(session.session_id, session.shopper_id, session.asked_at, package.matrix)
        assert known.session is not None, f"session {session.session_id} is not in Redis"
        context = recommender.context(known.session.cart, known.shopper, session.asked_at, known.activity)
        rows = generate(context, package.candidates, browsing=package.ranking.signals > 0)
        found.append(Candidates(session.shopper_id, [ids[row] for row in rows.tolist()], assemble(context, rows)))
    await state.close()
    return found
