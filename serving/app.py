"""The ASGI application: routes, their dependencies and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.types import ControllerRouterHandler

from configs import Settings
from events.brokers import connect
from serving.catalogue import ProductSearch
from serving.clock import Clock, service_clock
from serving.errors import HANDLERS
from serving.path import Engine
from serving.profiles import Profiles
from serving.routes import COLLECT_ROUTES, ROUTES
from serving.routes.collect import Collector
from serving.rules import RuleBook
from serving.state import StateReader
from training.contributions import Explainer
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

VERSION = "1"


def make_collector_app(settings: Settings, clock: Clock) -> Litestar:
    """Return an application that only collects events and needs no model."""
    broker = connect(settings)
    collector = Collector(broker, clock, settings.events)
    return _application(settings, COLLECT_ROUTES, {"collector": collector}, [broker.close])


def make_app(settings: Settings, package: ModelPackage) -> Litestar:
    """Return the application around a loaded package, warmed up; nothing is connected before the first request."""
    clock = service_clock(package.clock, package.as_of)
    rules = RuleBook(settings.serving.rules_file, package.matrix)
    state, broker = StateReader(settings, package.matrix), connect(settings)
    engine = Engine(Recommender(package), rules, Explainer(package), state, clock, settings.serving)
    profiles = Profiles(settings, package.matrix, clock, broker)
    single_thread()
    engine.warm()
    dependencies = {
        "engine": engine,
        "collector": Collector(broker, clock, settings.events),
        "search": ProductSearch(package.matrix),
        "profiles": profiles,
        "limits": settings.serving,
    }
    closing = [state.close, profiles.close, broker.close]
    return _application(settings, ROUTES, dependencies, closing, [rules.followed])


def _application(
    settings: Settings,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Any],
    on_shutdown: Sequence[Callable[[], Awaitable[None]]],
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
) -> Litestar:
    return Litestar(
        route_handlers=routes,
        dependencies={name: _always(value) for name, value in dependencies.items()},
        exception_handlers=HANDLERS,
        on_shutdown=on_shutdown,
        lifespan=lifespan,
        request_max_body_size=settings.events.max_body_kb * 1024,
        openapi_config=OpenAPIConfig(
            title="Tillwise", version=VERSION, path="/schema", render_plugins=[SwaggerRenderPlugin()]
        ),
        logging_config=None,
    )


def _always(value: Any) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)
