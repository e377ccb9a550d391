"""POST /v1/recommendations."""

from __future__ import annotations

import time
from typing import Annotated, Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, JSONBody
from litestar.status_codes import HTTP_200_OK

from configs.settings import ServingSettings
from serving.admission import ARRIVED
from serving.budget import Budget
from serving.operators import require_operator
from serving.path import Answering
from serving.schema import ErrorAnswer, RecommendationAnswer, RecommendationRequest

BUSY = ResponseSpec(
    ErrorAnswer, description="More come in than can be answered in time; Retry-After tells when to retry"
)

Deadline = Annotated[
    float | None,
    HeaderParameter(
        name="X-Deadline-Ms",
        gt=0,
        le=60_000,
        description="as deadline_ms in the body; the shortest of both and the service's own deadline holds",
    ),
]


@post(
    "/v1/recommendations",
    status_code=HTTP_200_OK,
    summary="Rank add-on products for a live cart",
    responses={
        400: ResponseSpec(ErrorAnswer, description="The request breaks the contract; the body says where"),
        401: ResponseSpec(ErrorAnswer, description="`explain` without an operator key in Authorization: Bearer KEY"),
        404: ResponseSpec(ErrorAnswer, description="`explain` does not exist here: no operator key is set up"),
        429: BUSY,
    },
)
async def recommendations(
    request: Request[Any, Any, Any],
    data: JSONBody[RecommendationRequest],
    engine: NamedDependency[Answering],
    limits: NamedDependency[ServingSettings],
    deadline: Deadline = None,
) -> RecommendationAnswer:
    """Return products that this shopper is likely to add, best first, never one that is in the cart.

    The answer comes within the deadline, counted from when the request reached this process. Business rules may exclude
    products and change the order. With an operator's key and `explain`, each item tells what its score is made of.
    """
    if data.explain:
        keys = limits.operator_keys
        require_operator(request.headers.get("authorization"), keys, "`explain` does not exist here: scores are")
    arrived = request.scope["state"].get(ARRIVED, time.monotonic())
    return await engine.answer(data, Budget.of(arrived, limits.deadline_ms, data.deadline_ms, deadline))
