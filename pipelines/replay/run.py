"""Runs a whole replay: samples baskets, plays them several at a time, scores what came of it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import httpx
from redis.asyncio import Redis

from configs import Settings
from configs.access import AccessSettings
from configs.errors import DataError, PartError
from pipelines.replay.plan import PlannedSession, plan_sessions
from pipelines.replay.player import RECOMMENDATIONS, Player
from pipelines.replay.score import PlayedSession, score
from training.protocol import held_out_cases
from training.recommender import FALLBACKS

ARMS = ("model", *FALLBACKS)
"""What is replayed: the model against what is shown without one."""

OnPlayed = Callable[[int, int], None]
REQUEST_TIMEOUT_SECONDS = 10.0


def play_replay(settings: Settings, on_played: OnPlayed, arms: Sequence[str] = ARMS) -> dict[str, Any]:
    """Play held-out baskets through the live service; return the figures that `score` makes of them.

    Args:
        settings: where the service is, how many sessions, and their seed.
        on_played: called with (sessions played, sessions in all) after each.
        arms: asked one after the other at each checkout.

    Raises:
        NotBuiltError: nothing was ingested yet.
        DataError: the test window holds no basket to play.
        PartError: the service does not answer.
    """
    baskets = held_out_cases(settings, "hide30")
    if not baskets:
        raise DataError(
            f"No basket of the test window has {settings.windows.min_basket_products} products or more, so there is "
            "nothing to replay: lengthen TILLWISE_WINDOWS__TEST_DAYS or bring more orders."
        )
    plans = plan_sessions(baskets, settings.replay.sessions, settings.replay.seed, run_id=secrets.token_hex(4))
    played = asyncio.run(_play_all(settings, plans, on_played, arms))
    return score(played, arms, settings.evaluation.bootstrap_samples, settings.replay.seed)


async def _play_all(
    settings: Settings, plans: Sequence[PlannedSession], on_played: OnPlayed, arms: Sequence[str]
) -> list[PlayedSession]:
    at_once = settings.replay.concurrency
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    redis = Redis.from_url(settings.redis_url, socket_timeout=5)
    async with (
        redis,
        httpx.AsyncClient(
            base_url=settings.service_url,
            limits=limits,
            timeout=REQUEST_TIMEOUT_SECONDS,
            auth=partial(with_key, settings.access),
        ) as http,
    ):
        await _require_service(http, settings)
        player = Player(http, redis, arms, settings.replay.k)
        waiting = iter(plans)
        played: list[PlayedSession] = []

        async def play_in_turn() -> None:
            # Sessions start in the order of their baskets; `at_once` of them overlap.
            for plan in waiting:
                played.append(await player.play(plan))
                on_played(len(played), len(plans))

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(play_in_turn())
    return played


def with_key(access: AccessSettings, request: httpx.Request) -> httpx.Request:
    """Return a request with a key that may do what it asks for, if there is one."""
    key = access.key_for("recommend" if request.url.path == RECOMMENDATIONS else "collect")
    if key is not None:
        request.headers["Authorization"] = f"Bearer {key.get_secret_value()}"
    return request


async def _require_service(http: httpx.AsyncClient, settings: Settings) -> None:
    try:
        response = await http.get("/readyz")
    except httpx.HTTPError as error:
        raise PartError(
            f"The service does not answer at {settings.service_url} ({error}): start it with `tillwise up`."
        ) from None
    if response.status_code != httpx.codes.OK:
        raise PartError(
            f"The service at {settings.service_url} is not ready (it answers {response.status_code} to /readyz): "
            "see `tillwise status`."
        )
