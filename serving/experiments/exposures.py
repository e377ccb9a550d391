"""The record of what was shown: kept back for a moment, then published some at a time. It slows and fails no answer."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from redis.exceptions import RedisError

from configs.errors import PartError
from configs.settings import EventSettings, ExposureSettings
from events.brokers import Broker
from events.contract import Event
from events.shopper import FirstShown
from serving.ending import end
from serving.experiments.answered import NO_SHADOW, Answered, Asked, Ranked, Scored, event_of, first_shown
from serving.experiments.file import Arm
from serving.experiments.running import RunningExperiments
from serving.schema import ExposureStatus
from training.recommender import Recommender

log = structlog.get_logger()

BATCH = 100
PAUSE_SECONDS = 0.05
"""What is answered meanwhile is published together, and an answer is on its way before anything is done for the log."""
AGAIN_SECONDS = 1.0
LAST_SECONDS = 3.0
"""How long a service that ends goes on trying to publish what waits."""
SHADOW_BACKLOG = 50
"""With more answers waiting than these the worker is too busy for shadows."""


@dataclass(frozen=True, slots=True)
class Shadows:
    """Arms that are scored and not shown; `model` returns the recommender of an alias, if it has one."""

    experiments: RunningExperiments
    model: Callable[[str], Recommender | None]

    def arms(self, item: Answered) -> Sequence[Arm]:
        """Return the shadows of the experiment that an answer took part in, if that is still running."""
        now, asked = self.experiments.now, item.asked.assigned
        ours = now.running is not None and now.running.name == asked.experiment and asked.arm is not None
        return now.shadows if ours else ()

    def rank(self, item: Answered) -> Scored:
        """Return what each arm would have shown, and what that took; nothing is shown by one that cannot."""
        lists: dict[str, tuple[str, ...]] = {}
        took_ms: dict[str, float] = {}
        for arm in self.arms(item):
            model, started = self.model(arm.alias), time.perf_counter()
            if model is not None and arm.weights:
                model = model.weighted(arm.weights)
            try:
                lists[arm.name] = () if model is None else self._rank(item, arm, model)
            except Exception:  # a shadow is an attempt: what goes wrong in it concerns nobody but the log
                log.exception("shadow arm failed", arm=arm.name)
                lists[arm.name] = ()
            took_ms[arm.name] = round((time.perf_counter() - started) * 1e3, 3)
        return Scored(lists, took_ms)

    def _rank(self, item: Answered, arm: Arm, model: Recommender) -> tuple[str, ...]:
        asked, ranked = item.asked, item.ranked
        browses, context = model.browses(arm.ranking), ranked.context
        if model is not ranked.model or browses != model.browses(ranked.arm):
            activity = asked.known.activity if browses else ()
            context = model.context(asked.cart, asked.known.shopper, asked.now, activity)
        rows, _ = model.rank(context, asked.request.k, arm.ranking)
        return tuple(model.package.products.ids[row] for row in rows.tolist())


class ExposureLog:
    """Publishes one exposure an answer, from a queue that drops what does not fit.

    One event loop's. While the broker is away what waits is tried again, under the same message ids.

    Args:
        broker: through which events go. settings: of exposures. events: how long names are remembered.
        shadows: scored here, after the answer. remember: writes down under which names people take part.
    """

    def __init__(
        self,
        broker: Broker,
        settings: ExposureSettings,
        events: EventSettings,
        shadows: Shadows,
        remember: Callable[[Sequence[FirstShown]], Awaitable[None]],
    ) -> None:
        self._broker, self._settings, self._events = broker, settings, events
        self._shadows, self._remember = shadows, remember
        self._queue: deque[Answered] = deque()
        self._made: list[Event] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._logged = self._dropped = self._skipped = 0

    def add(
        self, asked: Asked, ranked: Ranked, trouble: str | None, latency_ms: float, rules_version: str | None = None
    ) -> None:
        """Take an answer in, to be published soon; returns at once, and raises nothing, whatever is the matter.

        Args:
            asked, ranked: as `Answered` has them. trouble: why the answer is less than it could be.
            latency_ms: what it took. rules_version: of the rules that it went through.
        """
        try:
            if len(self._queue) + len(self._made) >= self._settings.queue:
                self._dropped += 1
                return
            shown, features = ranked.rows[list(ranked.explored.shown)], None
            if self._settings.features:  # only now does the recommender still hold what it scored
                features = ranked.model.features_of(ranked.context, shown)
            self._queue.append(Answered(asked, ranked, trouble, latency_ms, features, rules_version))
            self._wake.set()
            if self._task is None or self._task.done():
                self._task = asyncio.get_running_loop().create_task(self._work())
        except Exception:
            log.exception("an answer is not logged", request=asked.request_id)
            self._dropped += 1

    def status(self) -> ExposureStatus:
        """Return what became of the answers so far."""
        return ExposureStatus(self._logged, len(self._queue) + len(self._made), self._dropped, self._skipped)

    async def close(self) -> None:
        """Publish what waits, for a while, and stop."""
        await end(self._task)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                while self._queue or self._made:
                    await self._step()
        lost = len(self._queue) + len(self._made)
        if lost:
            log.error("exposures lost: the broker does not take them", exposures=lost)

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            await self._step()
            if not self._queue and not self._made:
                self._wake.clear()

    async def _step(self) -> None:
        """Publish some of what waits; what the broker does not take is kept for the next time."""
        if not self._made:
            await self._make()
        if not self._made:
            return
        try:
            await self._broker.publish(self._made)
        except PartError as error:
            log.warning("exposures wait for the broker", exposures=len(self._made), error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)
            return
        self._logged += len(self._made)
        self._made.clear()

    async def _make(self) -> None:
        """Turn answers into events, one at a time, so that requests come in between."""
        firsts: list[FirstShown] = []
        while self._queue and len(self._made) < BATCH:
            item = self._queue.popleft()
            try:
                self._made.append(event_of(item, self._shadows_of(item), features=self._settings.features))
                firsts += first_shown(item.asked, self._events)
            except Exception:  # one that cannot be told is no reason to lose the others
                log.exception("an exposure cannot be told", request=item.asked.request_id)
                self._dropped += 1
            await asyncio.sleep(0)
        if firsts:
            try:
                await self._remember(firsts)
            except (RedisError, OSError) as error:
                log.warning("names in experiments not remembered", error=str(error))

    def _shadows_of(self, item: Answered) -> Scored:
        if not self._shadows.arms(item):
            return NO_SHADOW
        if len(self._queue) > SHADOW_BACKLOG:
            self._skipped += 1
            return NO_SHADOW
        return self._shadows.rank(item)
