"""The comparison, not the product: a recommendation service as tutorials build it, to be measured beside ours.

    python -m benchmarks.serving_bench.tutorial PORT MODEL

FastAPI on uvicorn. Per request: Feast's `get_online_features` for the shopper and for every candidate, a pandas merge,
`Booster.predict` with LightGBM's default threads, a sort, JSON. It is told its candidates, and what needs the cart or
the shopper's purchases stays missing: finding candidates and crossing them with the cart is not in its time.
"""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

from configs import load_settings
from features.definitions import COLUMNS
from features.offline import PRODUCT
from features.records import PROFILE
from features.store import open_store

if TYPE_CHECKING:
    from feast import FeatureStore

K = 10


class Asked(BaseModel):
    """Who asks, and which products are to be ranked."""

    shopper_id: str
    candidates: list[str]


def ranked(store: FeatureStore, model: lgb.Booster, asked: Asked) -> list[dict[str, Any]]:
    """Return the best candidates with their scores."""
    shopper = store.get_online_features(
        features=[f"shopper_profile:{column.name}" for column in PROFILE],
        entity_rows=[{"shopper_id": asked.shopper_id}],
    ).to_df()
    products = store.get_online_features(
        features=[f"product_stats:{column.name}" for column in PRODUCT],
        entity_rows=[{"product_id": product} for product in asked.candidates],
    ).to_df()
    rows = products.merge(shopper, how="cross", suffixes=("", "_of_shopper"))
    rows["score"] = model.predict(rows.reindex(columns=COLUMNS).to_numpy("float32"))
    best: list[dict[str, Any]] = rows.nlargest(K, "score")[["product_id", "score"]].to_dict("records")
    return best


def main() -> None:
    """Serve until SIGTERM."""
    port, path = int(sys.argv[1]), sys.argv[2]
    store, model = open_store(load_settings()), lgb.Booster(model_file=path)
    app = FastAPI()

    @app.get("/ping")
    def ping() -> str:
        return "ok"

    @app.post("/recommend")
    def recommend(asked: Asked) -> list[dict[str, Any]]:
        return ranked(store, model, asked)

    warnings.simplefilter("ignore")  # Feast's pandas calls warn in every request
    uvicorn.run(app, port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
