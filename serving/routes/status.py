"""GET /v1/status."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from serving.admission import Admission
from serving.path import Answering
from serving.schema import Status


@get("/v1/status", summary="What serves")
async def status(engine: NamedDependency[Answering], door: NamedDependency[Admission]) -> Status:
    """Return the model that serves, its arms, the clock, whether state can be read, and how busy the worker is."""
    return await engine.status(door)
