"""The BentoML service: health, readiness, metrics and workers around our ASGI application."""

from __future__ import annotations

import gc
import threading
import time
from contextlib import AsyncExitStack
from typing import ClassVar

import bentoml
import structlog
from litestar import Litestar
from litestar.types import Receive, Scope, Send

from configs import load_settings
from configs.logs import configure_logs
from serving.app import RECOMMENDATIONS, make_bare_app, make_serving_app
from serving.bare import save_last_resort
from serving.clock import ClockKeeper
from serving.experiments import RunningExperiments
from serving.metrics import LagMeter
from serving.models import Following, Models

SETTINGS = load_settings()
TIMEOUT_SECONDS = 5
"""BentoML keeps each request's context alive until this timeout, so a long one makes garbage collection slow."""
AGAIN_SECONDS = 10.0

log = structlog.get_logger()


class _Application:
    """Stands where the application will be once a worker has loaded its model; the launching process never does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = Worker.application
        if application is not Worker.alive:
            await Worker.live(application)
        await application(scope, receive, send)


@bentoml.asgi_app(_Application(), path="/")
@bentoml.service(
    name="tillwise",
    workers=SETTINGS.serving.workers,
    traffic={"timeout": TIMEOUT_SECONDS},
    metrics={"enabled": True},
    monitoring={"enabled": False},
    # Spans that nobody collects (tracing.sample_rate is 0 unless a configuration of BentoML's own says otherwise) cost
    # as much as the rest of BentoML; such a configuration may name other URLs.
    tracing={"excluded_urls": [RECOMMENDATIONS]},
    logging={"access": {"enabled": False}},  # costs a tenth of the throughput, says nothing metrics do not
)
class Service:
    """Loads the package that the settings name, else the champion's, which it then follows, and answers.

    If none loads, it answers what it can meanwhile.
    """

    def __init__(self) -> None:
        configure_logs(SETTINGS.log.level, SETTINGS.log.format, process="service")
        self._lag = LagMeter(SETTINGS)
        if not _load():
            Worker.application = make_bare_app(SETTINGS)
            threading.Thread(target=_keep_trying, daemon=True).start()

    def __is_ready__(self) -> bool:
        return Worker.ready

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # BentoML ships no types
    async def start(self) -> None:
        """Begin the application's lifespan, which BentoML does not tell a mounted application of."""
        await Worker.live(Worker.application)

    async def __metrics__(self, content: str) -> str:
        """Return what /metrics tells: BentoML's figures and our counters, and how many events wait."""
        return content + await self._lag.text()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML ships no types
    async def stop(self) -> None:
        """End it."""
        await Worker.lives.aclose()
        await self._lag.close()


class Worker:
    """What this process serves.

    Attributes:
        application: answers. alive: the one whose lifespan has begun. lives: ends the lifespans. ready: has a model.
    """

    application: ClassVar[Litestar]
    alive: ClassVar[Litestar | None] = None
    lives: ClassVar[AsyncExitStack] = AsyncExitStack()
    ready: ClassVar[bool] = False

    @classmethod
    async def live(cls, application: Litestar) -> None:
        """Begin an application's lifespan, once; one before it lives on until the end, for requests under way."""
        if application is not cls.alive:
            cls.alive = application
            await cls.lives.enter_async_context(application.lifespan())


def _load() -> bool:
    """Serve a model from now on; return whether that worked, and say why not in the log."""
    try:
        models, experiments = Models.opened(SETTINGS), RunningExperiments.opened(SETTINGS)
        Worker.application, Worker.ready = make_serving_app(SETTINGS, models, experiments), True
    except Exception as error:  # a damaged model fails in many ways; in none of them is nothing to be answered
        log.error("no model is loaded; trying again", error=repr(error), seconds=AGAIN_SECONDS)
        return False
    gc.collect()
    gc.freeze()  # what is loaded stays: no later collection has to walk it
    try:
        save_last_resort(SETTINGS.work.run, models.champion.package)
    except OSError as error:
        log.warning("nothing is kept for a start without a model", error=str(error))
    if models.champion.package.clock == "historical":
        ClockKeeper(SETTINGS.work.run, models.elapsed, lambda: models.champion.package.data).start()
    if SETTINGS.serving.package is None:
        Following(models, SETTINGS, experiments).start()
    return True


def _keep_trying() -> None:
    while not _load():
        time.sleep(AGAIN_SECONDS)
