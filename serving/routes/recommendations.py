"""POST /v1/recommendations."""

from __future__ import annotations

from litestar import post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from serving.path import Engine
from serving.schema import ErrorAnswer, RecommendationAnswer, RecommendationRequest


@post(
    "/v1/recommendations",
    status_code=HTTP_200_OK,
    summary="Rank add-on products for a live cart",
    responses={400: ResponseSpec(ErrorAnswer, description="The request breaks the contract; the body says where")},
)
async def recommendations(
    data: JSONBody[RecommendationRequest], engine: NamedDependency[Engine]
) -> RecommendationAnswer:
    """Return products that this shopper is likely to add, best first, never one that is in the cart."""
    return await engine.answer(data)
