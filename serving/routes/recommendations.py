"""POST /v1/recommendations."""

from __future__ import annotations

from typing import Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody
from litestar.status_codes import HTTP_200_OK

from serving.operators import require_operator
from serving.path import Engine
from serving.schema import ErrorAnswer, RecommendationAnswer, RecommendationRequest

AnyRequest = Request[Any, Any, Any]


@post(
    "/v1/recommendations",
    status_code=HTTP_200_OK,
    summary="Rank add-on products for a live cart",
    responses={
        400: ResponseSpec(ErrorAnswer, description="The request breaks the contract; the body says where"),
        401: ResponseSpec(ErrorAnswer, description="`explain` without an operator key in Authorization: Bearer KEY"),
        404: ResponseSpec(ErrorAnswer, description="`explain` does not exist here: no operator key is set up"),
    },
)
async def recommendations(
    request: AnyRequest, data: JSONBody[RecommendationRequest], engine: NamedDependency[Engine]
) -> RecommendationAnswer:
    """Return products that this shopper is likely to add, best first, never one that is in the cart.

    Business rules may exclude products and change the order. With an operator's key and `explain`, each item tells what
    its score is made of.
    """
    if data.explain:
        keys = engine.limits.operator_keys
        require_operator(request.headers.get("authorization"), keys, "`explain` does not exist here: scores are")
    return await engine.answer(data)
