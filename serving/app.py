"""The ASGI application: routes, their dependencies and limits."""

from __future__ import annotations

from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin

from configs import Settings
from events.brokers import connect
from serving.catalogue import ProductSearch
from serving.clock import service_clock
from serving.errors import HANDLERS
from serving.path import Engine
from serving.profiles import Profiles
from serving.routes import ROUTES
from serving.routes.collect import Collector
from serving.state import StateReader
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

VERSION = "1"


def make_app(settings: Settings, package: ModelPackage) -> Litestar:
    """Return the application around a loaded package, warmed up; nothing is connected before the first request."""
    clock = service_clock(package.clock, package.as_of)
    state, broker = StateReader(settings, package.matrix), connect(settings)
    engine = Engine(Recommender(package), state, clock, settings.serving)
    profiles = Profiles(settings, package.matrix, clock)
    single_thread()
    engine.warm()
    return Litestar(
        route_handlers=ROUTES,
        dependencies={
            "engine": _always(engine),
            "collector": _always(Collector(broker, clock, settings.events)),
            "search": _always(ProductSearch(package.matrix)),
            "profiles": _always(profiles),
            "limits": _always(settings.serving),
        },
        exception_handlers=HANDLERS,
        on_shutdown=[state.close, broker.close, profiles.close],
        request_max_body_size=settings.events.max_body_kb * 1024,
        openapi_config=OpenAPIConfig(
            title="Tillwise", version=VERSION, path="/schema", render_plugins=[SwaggerRenderPlugin()]
        ),
        logging_config=None,
    )


def _always(value: Any) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)
