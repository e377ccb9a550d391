"""The product side as files: what a model package holds of it, and what the stage `examples` leaves for packaging.

Layout: `products.parquet`, and `*.npy` of keys, statistics, partners, vectors and the encoder (`encoder_*.npy`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.settings import FeatureSettings
from features.context import ProductMatrix
from features.cooccurrence import CategoryCooccurrence, Cooccurrence, Neighbours
from features.encoder import Encoder
from features.history import Catalogue, catalogue_of
from features.products import ProductStats
from training.arrays import load_named, map_array_now, save_named

PRODUCTS, ENCODER = "products.parquet", "encoder_"
KEYS = ("keys", "category_keys", "brand_keys")


def save_side(folder: Path, matrix: ProductMatrix) -> dict[str, Any]:
    """Write the product side into `folder`, made if need be; return the settings that go with it, for JSON."""
    folder.mkdir(exist_ok=True)
    _save_catalogue(folder, matrix.catalogue)
    save_named(folder, {name: getattr(matrix.stats, name) for name in ProductStats.names()}, "stats_")
    together = matrix.together
    np.save(folder / "vectors.npy", together.vectors)
    _save_neighbours(folder, "cosine", together.cosine)
    _save_neighbours(folder, "confidence", together.confidence)
    for level, categories in {"leaf": together.leaf, "parent": together.parent}.items():
        _save_neighbours(folder, level, categories.confidence)
        np.save(folder / f"{level}_share.npy", categories.share)
    encoder = matrix.encoder
    if encoder is not None:
        save_named(folder, encoder.arrays(), ENCODER)
    known = None if encoder is None else {"history": encoder.history, "timezone": encoder.timezone}
    return {"features": matrix.features.model_dump(), "encoder": known}


def load_side(folder: Path, settings: Mapping[str, Any]) -> ProductMatrix:
    """Return the product side in `folder`, its arrays memory-mapped; `settings` is what `save_side` returned."""
    features = FeatureSettings(**settings["features"])
    keys = {name: map_array_now(folder, name) for name in KEYS}
    catalogue = catalogue_of(pq.read_table(folder / PRODUCTS), keys)
    pa.default_memory_pool().release_unused()  # of reading: of a million products 150 MB
    stats = ProductStats(**{name: map_array_now(folder, f"stats_{name}") for name in ProductStats.names()})
    known = settings["encoder"]
    encoder = None if known is None else Encoder.from_arrays(load_named(folder, ENCODER), **known)
    return ProductMatrix(catalogue, stats, _load_together(folder), features, encoder)


def _save_catalogue(folder: Path, catalogue: Catalogue) -> None:
    table = pa.table(
        {
            "product_id": catalogue.ids,
            "title": catalogue.titles,
            "category": catalogue.categories,
            "brand": catalogue.brands,
            "price": pa.array(catalogue.price),
            "in_stock": pa.array(catalogue.in_stock),
            "margin": pa.array(catalogue.margin),
        }
    )
    pq.write_table(table, folder / PRODUCTS, compression="zstd")
    for name in KEYS:  # to work them out takes longer than anything else of a catalogue
        np.save(folder / f"{name}.npy", getattr(catalogue, name))


def _save_neighbours(folder: Path, name: str, neighbours: Neighbours) -> None:
    for part in ("start", "partner", "weight"):
        np.save(folder / f"{name}_{part}.npy", getattr(neighbours, part))


def _load_neighbours(folder: Path, name: str) -> Neighbours:
    start, partner, weight = (map_array_now(folder, f"{name}_{part}") for part in ("start", "partner", "weight"))
    return Neighbours(start, partner, weight)


def _load_together(folder: Path) -> Cooccurrence:
    leaf, parent = (
        CategoryCooccurrence(_load_neighbours(folder, level), map_array_now(folder, f"{level}_share"))
        for level in ("leaf", "parent")
    )
    cosine, confidence = _load_neighbours(folder, "cosine"), _load_neighbours(folder, "confidence")
    return Cooccurrence(cosine, confidence, leaf, parent, map_array_now(folder, "vectors"))
