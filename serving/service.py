"""The BentoML service: health, readiness, metrics and workers around our ASGI application."""

from __future__ import annotations

import gc
from contextlib import AsyncExitStack
from typing import Any

import bentoml
from litestar.types import Receive, Scope, Send

from configs import load_settings
from configs.logs import configure_logs
from serving.app import make_serving_app
from serving.models import Following, Models

SETTINGS = load_settings()
TIMEOUT_SECONDS = 5
"""BentoML keeps each request's context alive until this timeout, so a long one makes garbage collection slow."""


class _Application:
    """Stands where the application will be once a worker has loaded its model; the launching process never does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Tillwise.application(scope, receive, send)


@bentoml.asgi_app(_Application(), path="/")
@bentoml.service(name="tillwise", workers=SETTINGS.serving.workers, traffic={"timeout": TIMEOUT_SECONDS})
class Service:
    """Loads the package that the settings name, else the champion's, which it then follows, and answers."""

    def __init__(self) -> None:
        configure_logs(SETTINGS.log.level, SETTINGS.log.format, process="service")
        models = Models.opened(SETTINGS)
        Tillwise.application = make_serving_app(SETTINGS, models)
        gc.collect()
        gc.freeze()  # what is loaded stays: no later collection has to walk it
        if SETTINGS.serving.package is None:
            Following(models, SETTINGS).start()
        self._living = AsyncExitStack()

    @bentoml.on_startup  # type: ignore[untyped-decorator]  # BentoML ships no types
    async def start(self) -> None:
        """Enter the application's lifespan, which BentoML does not tell a mounted application of."""
        await self._living.enter_async_context(Tillwise.application.lifespan())

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]  # BentoML ships no types
    async def stop(self) -> None:
        """Leave it."""
        await self._living.aclose()


class Tillwise:
    """What this worker serves."""

    application: Any
