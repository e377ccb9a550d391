"""The ASGI application: routes, their dependencies and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Reference, SecurityScheme
from litestar.types import ControllerRouterHandler

from configs import Settings
from events.brokers import connect
from serving.access import Gate, HeaderWriter, Keeper, Limits, TimeLimit, cors_of
from serving.access.headers import ApiPage
from serving.answers import RecentAnswers
from serving.caching import PublicCache
from serving.catalogue import ProductSearch
from serving.clock import Clock, service_clock
from serving.description import tell_limits
from serving.errors import HANDLERS
from serving.path import Engine
from serving.profiles import Profiles
from serving.routes import COLLECT_ROUTES, ROUTES
from serving.routes.collect import Collector
from serving.state import StateReader
from training.package import ModelPackage
from training.parallel import single_thread
from training.recommender import Recommender

VERSION = "1"
_CARRIED: dict[str, SecurityScheme | Reference] = {
    "key": SecurityScheme(type="http", scheme="bearer", description="a key of the setting access.keys"),
    "user": SecurityScheme(type="http", scheme="basic", description="the same as the user name, as Segment's clients"),
}


def make_collector_app(settings: Settings, clock: Clock) -> Litestar:
    """Return an application that only collects events and needs no model."""
    broker, gate = connect(settings), _gate(settings)
    collector = Collector(broker, clock, settings.events, gate)
    return _application(settings, gate, COLLECT_ROUTES, {"collector": collector}, [broker.close])


def make_app(settings: Settings, package: ModelPackage) -> Litestar:
    """Return the application around a loaded package, warmed up; nothing is connected before the first request."""
    clock = service_clock(package.clock, package.as_of)
    state, broker, gate = StateReader(settings, package.matrix), connect(settings), _gate(settings)
    serving = settings.serving
    recent = RecentAnswers(serving.answer_cache_seconds, serving.answer_cache_entries)
    engine = Engine(Recommender(package), state, clock, serving, recent)
    profiles = Profiles(settings, package.matrix, clock, broker)
    single_thread()
    engine.warm()
    dependencies = {
        "engine": engine,
        "collector": Collector(broker, clock, settings.events, gate),
        "search": ProductSearch(package.matrix),
        "public": PublicCache(serving.public_cache_seconds, by_origin=bool(settings.access.origins)),
        "profiles": profiles,
        "access": settings.access,
    }
    app = _application(settings, gate, ROUTES, dependencies, [state.close, profiles.close, broker.close])
    tell_limits(app.openapi_schema, serving)
    return app


def _application(
    settings: Settings,
    gate: Gate,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Any],
    on_shutdown: Sequence[Callable[[], Awaitable[None]]],
) -> Litestar:
    return Litestar(
        route_handlers=routes,
        dependencies={name: _always(value) for name, value in {"gate": gate, **dependencies}.items()},
        exception_handlers=HANDLERS,
        on_shutdown=[*on_shutdown, gate.close],
        middleware=[TimeLimit(settings.access.handler_seconds), Keeper(gate)],
        before_send=[HeaderWriter(settings.access)],
        cors_config=cors_of(settings.access.origins),
        request_max_body_size=settings.events.max_body_kb * 1024,
        openapi_config=OpenAPIConfig(
            title="Tillwise",
            version=VERSION,
            path="/schema",
            render_plugins=[ApiPage()],
            components=Components(security_schemes=_CARRIED),
        ),
        logging_config=None,
    )


def _gate(settings: Settings) -> Gate:
    return Gate(settings.access, Limits(settings.redis_url))


def _always(value: Any) -> Provide:
    return Provide(lambda: value, use_cache=True, sync_to_thread=False)
