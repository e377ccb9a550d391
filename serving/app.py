"""The ASGI application: routes, their dependencies and limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from litestar import Litestar
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Components, Reference, SecurityScheme
from litestar.types import ControllerRouterHandler

from configs import Settings
from events.brokers import connect
from serving.access import Gate, HeaderWriter, Keeper, Limits, TimeLimit, cors_of
from serving.access.headers import ApiPage
from serving.admission import Admission, Doorkeeper, LoopLag
from serving.answers import RecentAnswers
from serving.bare import BareEngine, load_last_resort, needs_model
from serving.caching import PublicCache
from serving.clock import Clock, service_clock
from serving.description import tell_limits
from serving.errors import HANDLERS
from serving.experiments import ExposureLog, RunningExperiments, Shadows
from serving.express import Express
from serving.ladder import Ladder
from serving.metrics import counts
from serving.models import Models
from serving.path import Engine
from serving.profiles import Profiles
from serving.routes import BARE_ROUTES, COLLECT_ROUTES, ROUTES
from serving.routes.collect import Collector
from serving.rules import RuleBook
from serving.state import StateReader
from training.package import ModelPackage
from training.parallel import single_thread

VERSION = "1"
RECOMMENDATIONS = "/v1/recommendations"
_CARRIED: dict[str, SecurityScheme | Reference] = {
    "key": SecurityScheme(type="http", scheme="bearer", description="a key of the setting access.keys"),
    "user": SecurityScheme(type="http", scheme="basic", description="the same as the user name, as Segment's clients"),
}


def make_collector_app(settings: Settings, clock: Clock) -> Litestar:
    """Return an application that only collects events and needs no model."""
    broker, gate, doors = connect(settings), _gate(settings), _collect_doors(settings)
    collector = Collector(broker, clock, settings.events, gate, counts())
    return _application(settings, gate, COLLECT_ROUTES, {"collector": collector}, [broker.close], doors)


def make_app(settings: Settings, package: ModelPackage) -> Litestar:
    """Return the application around a loaded package, which it serves whatever becomes champion."""
    return make_serving_app(settings, Models.pinned(package))


def make_serving_app(settings: Settings, models: Models, experiments: RunningExperiments | None = None) -> Litestar:
    """Return the application around models, which may be swapped; nothing is connected before the first request.

    `experiments`: what runs, and is kept up to date by whoever hands it over; None: what the settings name.
    """
    clock, gate, serving = models.clock, _gate(settings), settings.serving
    experiments = experiments or RunningExperiments.opened(settings)
    state, broker = StateReader(settings), connect(settings)
    exposures = None
    if settings.serving.exposures.enabled:
        shadows = Shadows(experiments, models.recommender)
        exposures = ExposureLog(broker, settings.serving.exposures, settings.events, shadows, state.remember)
    rules = RuleBook(settings.serving.rules_file, models.champion.matrix, experiments.now.rules)
    models.prepare(rules.over)
    door = _door(settings)
    ladder = Ladder(lambda: door.inside)
    recent = RecentAnswers(serving.answer_cache_seconds, serving.answer_cache_entries)
    engine = Engine(models, rules, state, clock, serving, recent, ladder, experiments, exposures)
    profiles = Profiles(settings, models, clock, broker)
    single_thread()
    engine.warm()
    dependencies = {
        "engine": engine,
        "counts": counts(),
        "collector": Collector(broker, clock, settings.events, gate, counts()),
        "public": PublicCache(serving.public_cache_seconds, by_origin=bool(settings.access.origins)),
        "access": settings.access,
        "models": models,
        "profiles": profiles,
        "limits": settings.serving,
    }
    closing = [*([] if exposures is None else [exposures.close]), state.close, profiles.close, broker.close]
    return _recommending(settings, gate, ROUTES, dependencies, closing, door, [rules.followed])


def make_bare_app(settings: Settings) -> Litestar:
    """Return the application for as long as no model can be loaded."""
    kept = load_last_resort(settings.work.run)
    clock, broker = service_clock(kept.clock, kept.as_of), connect(settings)
    gate, door = _gate(settings), _door(settings)
    dependencies = {
        "engine": BareEngine(kept, clock, settings.serving),
        "counts": counts(),
        "collector": Collector(broker, clock, settings.events, gate, counts()),
        "access": settings.access,
        "limits": settings.serving,
    }
    return _recommending(settings, gate, [*BARE_ROUTES, needs_model], dependencies, [broker.close], door)


def _door(settings: Settings) -> Admission:
    return Admission(settings.serving.max_in_flight, settings.serving.shed_delay_ms / 1000)


def _collect_doors(settings: Settings) -> dict[str, Admission]:
    """Return one bound for all tracking calls together, by path."""
    door = Admission(settings.events.max_in_flight)
    return {path: door for route in COLLECT_ROUTES if isinstance(route, HTTPRouteHandler) for path in route.paths}


def _recommending(
    settings: Settings,
    gate: Gate,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Any],
    on_shutdown: Sequence[Callable[[], Awaitable[None]]],
    door: Admission,
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
) -> Litestar:
    """Return an application that answers requests for recommendations, which come through a door of their own."""
    doors = {RECOMMENDATIONS: door} | _collect_doors(settings)
    express = Express(
        RECOMMENDATIONS,
        dependencies["engine"],
        settings.serving,
        dependencies["counts"],
        settings.events.max_body_kb * 1024,
    )
    dependencies = {"door": door, **dependencies}
    app = _application(settings, gate, routes, dependencies, on_shutdown, doors, lifespan, [express])
    tell_limits(app.openapi_schema, settings.serving)
    return app


def _application(
    settings: Settings,
    gate: Gate,
    routes: Sequence[ControllerRouterHandler],
    dependencies: Mapping[str, Any],
    on_shutdown: Sequence[Callable[[], Awaitable[None]]],
    doors: Mapping[str, Admission],
    lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]] = (),
    innermost: Sequence[ASGIMiddleware] = (),
) -> Litestar:
    lag = LoopLag()

    async def stop() -> None:
        lag.stop()

    return Litestar(
        route_handlers=routes,
        dependencies={name: _always(value) for name, value in {"gate": gate, **dependencies}.items()},
        exception_handlers=HANDLERS,
        on_shutdown=[*on_shutdown, gate.close, stop],
        middleware=[Doorkeeper(doors, lag), TimeLimit(settings.access.handler_seconds), Keeper(gate), *innermost],
        before_send=[HeaderWriter(settings.access)],
        cors_config=cors_of(settings.access.origins),
        lifespan=lifespan,
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
