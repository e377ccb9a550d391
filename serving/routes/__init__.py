"""The HTTP routes, one file a topic.

Comes in: HTTP requests. Goes out: JSON. Called by `serving.app`, which hands each route the engine it needs.
"""

from litestar.types import ControllerRouterHandler

from serving.routes.catalogue import products
from serving.routes.collect import batch, singles
from serving.routes.pages import checkout_page, static_files
from serving.routes.profiles import erase_profile, read_profile
from serving.routes.recommendations import recommendations
from serving.routes.status import status

COLLECT_ROUTES: list[ControllerRouterHandler] = [*singles, batch]

BARE_ROUTES: list[ControllerRouterHandler] = [recommendations, *COLLECT_ROUTES, status, checkout_page, static_files]
"""Those that need no model."""

ROUTES: list[ControllerRouterHandler] = [*BARE_ROUTES, products, read_profile, erase_profile]

__all__ = ["BARE_ROUTES", "COLLECT_ROUTES", "ROUTES"]
