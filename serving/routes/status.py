"""GET /v1/status."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from serving.access import OPEN, Gate
from serving.admission import Admission
from serving.path import Answering
from serving.responses import wrong
from serving.schema import AccessStatus, Status


@get("/v1/status", summary="What serves", responses=wrong(429, 503), opt=OPEN)
async def status(
    engine: NamedDependency[Answering], door: NamedDependency[Admission], gate: NamedDependency[Gate]
) -> Status:
    """Return the model that serves, its arms, the clock, whether state can be read, and how busy the worker is."""
    found = await engine.status(door)
    found.access = AccessStatus(gate.refused, gate.limited, gate.alone)
    return found
