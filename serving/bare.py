"""The service without a model: it starts, collects events, and answers with what sold when a model last served."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec
import structlog
from litestar import get

from configs.errors import PartError
from configs.home import write_json
from configs.moments import moment
from configs.settings import ServingSettings
from features.segments import SEGMENTS
from serving.admission import Admission
from serving.budget import Budget
from serving.clock import Clock
from serving.path import check, items_of
from serving.schema import Fallback, Item, RecommendationAnswer, RecommendationRequest, Status
from training.package import ModelPackage
from training.reasons import EVERYBODY
from training.recommender import Recommendation

log = structlog.get_logger()

LAST_RESORT = "last_resort.json"
ARM = "last_resort"
NO_MODEL = "model unavailable"


class LastResort(msgspec.Struct, frozen=True):
    """What a good start leaves for a bad one.

    Attributes:
        model_version: of the model that left it. clock, as_of: see `serving.clock`. items: what sells, best first.
    """

    model_version: str = ""
    clock: str = "live"
    as_of: float = 0.0
    items: tuple[Item, ...] = ()


def save_last_resort(folder: Path, package: ModelPackage) -> None:
    """Keep what to answer should no model load at the next start."""
    rows, ids = package.popular[SEGMENTS.index("unknown")], package.products.ids
    found = (Recommendation(ids[row], 1.0 / place, EVERYBODY) for place, row in enumerate(rows.tolist(), 1))
    items = tuple(items_of(package.matrix, rows, found))
    write_json(
        folder / LAST_RESORT, msgspec.to_builtins(LastResort(package.version, package.clock, package.as_of, items))
    )


def load_last_resort(folder: Path) -> LastResort:
    """Return what the last good start left; nothing to show if there was none, or it cannot be read."""
    try:
        return msgspec.json.decode((folder / LAST_RESORT).read_bytes(), type=LastResort)
    except (OSError, msgspec.DecodeError) as error:
        log.warning("no last resort", error=str(error))
        return LastResort()


@dataclass(frozen=True)
class BareEngine:
    """Stands in for the engine while no model is loaded; see `serving.path.Answering`."""

    kept: LastResort
    clock: Clock
    limits: ServingSettings

    async def answer(self, request: RecommendationRequest, budget: Budget) -> RecommendationAnswer:
        """Return what sells but for the cart of the request; nothing if not even that is known.

        Raises:
            RequestError: the request breaks a limit or names nobody.
        """
        check(request, self.limits)
        cart = {line.product_id for line in request.cart or ()}
        items = [item for item in self.kept.items if item.product_id not in cart][: request.k]
        return RecommendationAnswer(
            request_id=uuid.uuid4().hex,
            model_version=self.kept.model_version,
            rules_version=None,
            arm=ARM,
            items=items,
            fallback=Fallback(ARM, NO_MODEL, "last_resort" if items else "empty"),
        )

    async def status(self, door: Admission) -> Status:
        """Return that nothing serves."""
        return Status(
            model_version="",
            arms=[],
            products=0,
            as_of="",
            now=moment(self.clock()),
            redis=False,
            breaker="open",
            in_flight=door.inside,
            shed=door.shed,
            experiment=None,
            exposures=None,
            model=None,
            rules=None,
        )


@get(["/v1/products", "/v1/popular", "/v1/profiles/{profile_id:path}"], include_in_schema=False, sync_to_thread=False)
def needs_model() -> None:
    """Say why what needs a model does not answer.

    Raises:
        PartError: always.
    """
    raise PartError("No model is loaded: see the service's log and /readyz.")
