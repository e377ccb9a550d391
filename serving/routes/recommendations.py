"""POST /v1/recommendations."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from serving.access import needs
from serving.path import Engine
from serving.responses import wrong
from serving.schema import RecommendationAnswer, RecommendationRequest


@post(
    "/v1/recommendations",
    status_code=HTTP_200_OK,
    summary="Rank add-on products for a live cart",
    responses=wrong(400, 401, 403, 408, 413, 429, 503),
    opt=needs("recommend"),
    security=[{}, {"key": []}],
)
async def recommendations(
    data: JSONBody[RecommendationRequest], engine: NamedDependency[Engine]
) -> RecommendationAnswer:
    """Return products that this shopper is likely to add, best first, never one that is in the cart."""
    return await engine.answer(data)
