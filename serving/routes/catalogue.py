"""GET /v1/products and GET /v1/popular: the same for everybody, fit for a CDN."""

from __future__ import annotations

from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, Parameter

from serving.access import OPEN
from serving.caching import PublicCache
from serving.models import Models
from serving.responses import unchanged, wrong
from serving.schema import ProductList

IfNoneMatch = Annotated[
    str | None, HeaderParameter(name="If-None-Match", description="ETag of an answer that you still have")
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
    known: IfNoneMatch = None,
) -> Response[ProductList]:
    """Return the products in stock that sell most: what a page may show where it cannot ask for recommendations."""
    served = models.champion
    return public.answer(ProductList(served.search.popular(k)), known, "popular", served.version, k)
