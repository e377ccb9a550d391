"""POST /v1/recommendations."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, JSONBody
from litestar.status_codes import HTTP_200_OK

from configs.settings import ServingSettings
from serving.access import Gate, needs
from serving.access.credentials import bearer_of
from serving.express import LONGEST_MS, answered
from serving.metrics import Counts
from serving.path import Answering
from serving.responses import wrong
from serving.schema import RecommendationAnswer, RecommendationRequest

Deadline = Annotated[
    float | None,
    HeaderParameter(
        name="X-Deadline-Ms",
        gt=0,
        le=LONGEST_MS,
        description="as deadline_ms in the body; the shortest of both and the service's own deadline holds",
    ),
]


@post(
    "/v1/recommendations",
    status_code=HTTP_200_OK,
    summary="Rank add-on products for a live cart",
    responses=wrong(
        *(400, 401, 403, 404, 408, 413, 429, 503), s404="`explain` does not exist here: no key has the scope operate"
    ),
    opt=needs("recommend"),
    security=[{}, {"key": []}],
)
async def recommendations(
    request: Request[Any, Any, Any],
    data: JSONBody[RecommendationRequest],
    engine: NamedDependency[Answering],
    limits: NamedDependency[ServingSettings],
    gate: NamedDependency[Gate],
    counts: NamedDependency[Counts],
    deadline: Deadline = None,
) -> RecommendationAnswer:
    """Return products that this shopper is likely to add, best first, never one that is in the cart.

    The answer comes within the deadline, counted from when the request reached this process. Business rules may exclude
    products and change the order. With an operator's key and `explain`, each item tells what its score is made of.
    """
    if data.explain:
        gate.permit("operate", bearer_of(request.headers.get("authorization", "")))
    return await answered(data, request.scope, engine, limits, counts, deadline)
