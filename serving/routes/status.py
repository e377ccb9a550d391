"""GET /v1/status."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from configs.moments import moment
from serving.access import OPEN, Gate
from serving.path import Engine
from serving.responses import wrong
from serving.schema import AccessStatus, Status
from training.recommender import ARMS


@get("/v1/status", summary="What serves", responses=wrong(429, 503), opt=OPEN)
async def status(engine: NamedDependency[Engine], gate: NamedDependency[Gate]) -> Status:
    """Return the model that serves, its arms, the clock and whether state can be read."""
    package = engine.recommender.package
    return Status(
        model_version=package.version,
        arms=list(ARMS),
        products=len(package.products),
        as_of=moment(package.as_of),
        now=moment(engine.clock()),
        redis=await engine.state.answers(),
        access=AccessStatus(gate.refused, gate.limited, gate.alone),
    )
