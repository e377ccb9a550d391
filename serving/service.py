"""The BentoML service: health, readiness, metrics and workers around our ASGI application."""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import bentoml
import structlog
from litestar.types import Receive, Scope, Send

from configs import Settings, load_settings
from configs.errors import NotBuiltError
from configs.logs import configure_logs
from serving.app import make_app, make_bare_app
from serving.bare import save_last_resort
from training.package import ModelPackage

SETTINGS = load_settings()
TIMEOUT_SECONDS = 5
"""BentoML keeps each request's context alive until this timeout, so a long one makes garbage collection slow."""
AGAIN_SECONDS = 10.0

log = structlog.get_logger()


class _Application:
    """Stands where the application will be once a worker has loaded its model; the launching process never does."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await Tillwise.application(scope, receive, send)


@bentoml.asgi_app(_Application(), path="/")
@bentoml.service(name="tillwise", workers=SETTINGS.serving.workers, traffic={"timeout": TIMEOUT_SECONDS})
class Service:
    """Loads the package that the settings name, then answers; if it does not load, answers what it can meanwhile."""

    def __init__(self) -> None:
        configure_logs(SETTINGS.log.level, SETTINGS.log.format, process="service")
        if not _load():
            Tillwise.application = make_bare_app(SETTINGS)
            threading.Thread(target=_keep_trying, daemon=True).start()

    def __is_ready__(self) -> bool:
        return Tillwise.ready


class Tillwise:
    """What this worker serves."""

    application: Any
    ready = False


def _load() -> bool:
    """Serve the model from now on; return whether that worked, and say why not in the log."""
    try:
        package = _package(SETTINGS)
        Tillwise.application, Tillwise.ready = make_app(SETTINGS, package), True
    except Exception as error:  # a damaged model fails in many ways; in none of them is nothing to be answered
        log.error("no model is loaded; trying again", error=repr(error), seconds=AGAIN_SECONDS)
        return False
    gc.collect()
    gc.freeze()  # what is loaded stays: no later collection has to walk it
    try:
        save_last_resort(SETTINGS.work.run, package)
    except OSError as error:
        log.warning("nothing is kept for a start without a model", error=str(error))
    return True


def _keep_trying() -> None:
    while not _load():
        time.sleep(AGAIN_SECONDS)


def _package(settings: Settings) -> ModelPackage:
    if settings.serving.package is None:
        raise NotBuiltError("No model package is named: start the service with `tillwise serve`.")
    return ModelPackage.load(settings.serving.package)
