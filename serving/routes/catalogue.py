"""GET /v1/products."""

from __future__ import annotations

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import Parameter

from serving.models import Models
from serving.schema import ProductList


@get("/v1/products", summary="Find products", sync_to_thread=False)
def products(
    models: NamedDependency[Models],
    q: Annotated[str, Parameter(max_length=100, description="words; empty: the most popular")] = "",
    limit: Annotated[int, Parameter(ge=1, le=100)] = 20,
) -> ProductList:
    """Return products whose title, category, brand or id holds every word, the most popular first."""
    return ProductList(models.champion.search.find(q, limit))
