"""GET /v1/status."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from configs.moments import moment
from serving.path import Engine
from serving.schema import Status
from training.recommender import ARMS


@get("/v1/status", summary="What serves")
async def status(engine: NamedDependency[Engine]) -> Status:
    """Return the model that serves, its arms, the clock and whether state can be read."""
    package = engine.recommender.package
    return Status(
        model_version=package.version,
        arms=list(ARMS),
        products=len(package.products),
        as_of=moment(package.as_of),
        now=moment(engine.clock()),
        redis=await engine.state.answers(),
        experiment=None if engine.experiments.running is None else engine.experiments.running.name,
        exposures=None if engine.exposures is None else engine.exposures.status(),
    )
