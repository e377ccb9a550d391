"""GET /v1/products and GET /v1/popular: the same for everybody, fit for a CDN."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, Parameter, QueryParameter

from features.segments import MEANING, SEGMENTS
from serving.access import OPEN
from serving.caching import PublicCache
from serving.models import Models
from serving.path import RequestError
from serving.responses import unchanged, wrong
from serving.schema import ProductList

IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="ETag of an answer that you still have")
]
Segment = Annotated[
    str | None, QueryParameter(enum=SEGMENTS, description=f"of shoppers ({MEANING}); not given: all shoppers")
]
_RESPONSES = wrong(400, 429, 503) | unchanged


@get("/v1/products", summary="Find products", responses=_RESPONSES, opt=OPEN, sync_to_thread=False)
def products(
    models: NamedDependency[Models],
    public: NamedDependency[PublicCache],
    q: Annotated[str, Parameter(max_length=100, description="words; empty: the most popular")] = "",
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
    known: IfNoneMatch = None,
) -> Response[ProductList]:
    """Return products whose title, category, brand or id holds every word, the most popular first."""
    served = models.champion
    return public.answer(ProductList(served.search.find(q, limit)), known, "products", served.version, q, limit)


@get("/v1/popular", summary="What sells most", responses=_RESPONSES, opt=OPEN, sync_to_thread=False)
def popular(
    models: NamedDependency[Models],
    public: NamedDependency[PublicCache],
    k: Annotated[int, Parameter(ge=1, le=100, description="items wanted")] = 10,
    segment: Segment = None,
    known: IfNoneMatch = None,
) -> Response[ProductList]:
    """Return the products in stock that sell most: what a page may show where it cannot ask for recommendations.

    With a segment, those that sell most to its shoppers, prepared with the model: what recommendations fall back to.
    """
    served = models.champion
    if segment is None:
        return public.answer(ProductList(served.search.popular(k)), known, "popular", served.version, k)
    if segment not in SEGMENTS:
        raise RequestError("segment", f"is {segment!r}, expected one of {', '.join(SEGMENTS)}")
    rows = served.package.popular[SEGMENTS.index(segment)][:k].tolist()
    return public.answer(ProductList(served.search.products(rows)), known, "popular", served.version, k, segment)
