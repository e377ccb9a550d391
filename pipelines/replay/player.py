"""Plays one planned session over HTTP, as a shop's pages would: tell who, tell what happened, ask at the checkout."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import httpx
from redis.asyncio import Redis

from events.session import SessionState, decode_session, session_key
from pipelines.replay.plan import PlannedSession
from pipelines.replay.score import PlayedSession
from pipelines.shopping import BATCH, CHECKOUT_STEP, IDENTIFY, RECOMMENDATIONS

FIRST_LOOK_SECONDS = 0.002
LONGEST_PAUSE_SECONDS = 0.05
VISIBLE_WITHIN_SECONDS = 15.0
OK = 200


class Player:
    """Plays sessions against one service.

    Args:
        http: client whose base URL is the service's. redis: where session state can be looked at.
        arms: asked one after the other. k: items asked for.
    """

    def __init__(self, http: httpx.AsyncClient, redis: Redis, arms: Sequence[str], k: int) -> None:
        self._http = http
        self._redis = redis
        self._arms = arms
        self._k = k

    async def play(self, plan: PlannedSession) -> PlayedSession:
        """Play one session to its end and return what came of it."""
        played = PlayedSession(plan.shopper_id, plan.hidden)
        await self._post(played, IDENTIFY, plan.identify)
        if await self._post(played, BATCH, plan.batch) is not None:
            await self._wait_until_visible(plan, played)
        for arm in self._arms:
            await self._ask(plan, played, arm)
        return played

    async def _ask(self, plan: PlannedSession, played: PlayedSession, arm: str) -> None:
        started = time.perf_counter()
        answer = await self._post(played, RECOMMENDATIONS, plan.question(arm, self._k))
        if answer is None:
            return
        played.latencies_ms.append((time.perf_counter() - started) * 1_000)
        played.answers[arm] = [item["product_id"] for item in answer["items"]]
        played.fallbacks += answer["fallback"] is not None
        played.model_versions.add(answer["model_version"])

    async def _post(self, played: PlayedSession, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        played.requests += 1
        try:
            response = await self._http.post(path, json=body)
        except httpx.HTTPError:
            played.errors += 1
            return None
        if response.status_code != OK:
            played.errors += 1
            return None
        answer: dict[str, Any] = response.json()
        return answer

    async def _wait_until_visible(self, plan: PlannedSession, played: PlayedSession) -> None:
        """Wait until the consumer has applied the session's last event, looking at the state where it is kept."""
        started = time.perf_counter()
        pause = FIRST_LOOK_SECONDS
        while time.perf_counter() - started < VISIBLE_WITHIN_SECONDS:
            state = await self._state(plan.session_id)
            if state.checkout_step == CHECKOUT_STEP:
                played.applied_ms = (time.perf_counter() - started) * 1_000
                played.cart_complete = set(state.cart) == plan.cart
                return
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)

    async def _state(self, session_id: str) -> SessionState:
        return decode_session(await self._redis.get(session_key(session_id)), session_id)
