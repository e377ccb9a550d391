"""One simulated visit over HTTP, as a shop's pages would make it: fill the cart, ask at the checkout, act, order."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

from configs.settings import TrafficSettings
from pipelines.shopping import BATCH, RECOMMENDATIONS
from pipelines.traffic.behaviour import Deed, Market, Offer, deeds
from pipelines.traffic.visits import Visit

NO_ANSWER = "no answer"


@dataclass
class Visited:
    """What came of a visit.

    Attributes:
        requests: HTTP calls made. errors: what was answered instead of 200, a status or `NO_ANSWER`, one a failed call.
        answered: whether recommendations came. version, arm: that answered; the arm is the experiment's, if any.
        degraded: whether the answer was less than it could be. latency_ms: of it, as the client saw it.
        shown: products shown. clicks, adds: of them. hits: shown ones that the real shopper bought.
    """

    requests: int = 0
    errors: list[str] = field(default_factory=list)
    answered: bool = False
    version: str = ""
    arm: str | None = None
    degraded: bool = False
    latency_ms: float = 0.0
    shown: int = 0
    clicks: int = 0
    adds: int = 0
    hits: int = 0


class Shop:
    """Where visits are made: the service, and what visitors have in common.

    Args:
        http: client whose base URL is the service's. market: what everybody knows. traffic: how everybody behaves.
    """

    def __init__(self, http: httpx.AsyncClient, market: Market, traffic: TrafficSettings) -> None:
        self._http, self._market, self._traffic = http, market, traffic

    async def visit(self, visit: Visit) -> Visited:
        """Make one visit, to its end or to the first call that fails, and return what came of it."""
        visited = Visited()
        if await self._post(visited, BATCH, visit.arrival(time.time())) is None:
            return visited
        started = time.perf_counter()
        answer = await self._post(visited, RECOMMENDATIONS, visit.question(self._traffic.k))
        if answer is None:
            return visited
        visited.latency_ms = (time.perf_counter() - started) * 1_000
        offers = [Offer(item["product_id"], item["price"]) for item in answer["items"]]
        done = self._acts(visit, offers)
        _note(visited, visit, answer, offers, done)
        await asyncio.sleep(self._traffic.think_seconds)
        await self._post(visited, BATCH, visit.departure(answer["request_id"], offers, done, time.time()))
        return visited

    def _acts(self, visit: Visit, offers: list[Offer]) -> list[Deed]:
        chance = random.Random(visit.seed)
        return list(deeds(offers, visit.hidden, self._market, self._traffic.behaviour, chance))

    async def _post(self, visited: Visited, path: str, body: dict[str, Any]) -> dict[str, Any] | None:
        visited.requests += 1
        try:
            response = await self._http.post(path, json=body)
        except httpx.HTTPError:
            visited.errors.append(NO_ANSWER)
            return None
        if response.status_code != httpx.codes.OK:
            visited.errors.append(str(response.status_code))
            return None
        answer: dict[str, Any] = response.json()
        return answer


def _note(visited: Visited, visit: Visit, answer: dict[str, Any], offers: list[Offer], done: list[Deed]) -> None:
    visited.answered, visited.version, visited.arm = True, answer["model_version"], answer["experiment_arm"]
    visited.degraded, visited.shown = answer["fallback"] is not None, len(offers)
    visited.clicks = sum(deed.kind == "click" for deed in done)
    visited.adds = sum(deed.kind == "add" for deed in done)
    visited.hits = sum(offer.product_id in visit.hidden for offer in offers)
