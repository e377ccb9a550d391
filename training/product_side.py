"""The product side as files: what a model package holds of it, and what the stage `examples` leaves for packaging.

Layout: `*.npy` of the catalogue (its texts as bytes), of statistics, partners, vectors, the encoder (`encoder_*.npy`),
and of what is worked out of them: kept, it is mapped and shared, and no process works it out and holds it for itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from configs.settings import FeatureSettings
from features.context import ProductMatrix
from features.cooccurrence import CategoryCooccurrence, Cooccurrence, Neighbours
from features.encoder import Encoder
from features.history import Catalogue, Levels
from features.lookup import KeyIndex
from features.products import ProductStats
from features.texts import Coded
from training.arrays import load_named, map_array_now, map_texts, save_named, save_texts

ENCODER, INDEX, LEVELS = "encoder_", "index_", "levels_"
COLUMNS = ("price", "in_stock", "margin", "keys", "category_keys", "brand_keys")
"""Arrays of the catalogue."""

LEVEL_NAMES = ("leaf", "parent", "department")

WORKED_OUT = ("price", "worth", "by_popularity", "orders_lately", "popularity_lately")
"""Arrays that `ProductMatrix` works out when it is first asked, unless they are kept."""


def save_side(folder: Path, matrix: ProductMatrix) -> dict[str, Any]:
    """Write the product side into `folder`, made if need be; return the settings that go with it, for JSON."""
    folder.mkdir(exist_ok=True)
    _save_catalogue(folder, matrix.catalogue)
    _save_worked_out(folder, matrix)
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
    catalogue = _load_catalogue(folder)
    stats = ProductStats(**{name: map_array_now(folder, f"stats_{name}") for name in ProductStats.names()})
    known = settings["encoder"]
    encoder = None if known is None else Encoder.from_arrays(load_named(folder, ENCODER), **known)
    matrix = ProductMatrix(catalogue, stats, _load_together(folder), features, encoder)
    vars(matrix).update(_load_worked_out(folder))  # where its cached properties look first
    return matrix


def _save_catalogue(folder: Path, catalogue: Catalogue) -> None:
    save_named(folder, {name: getattr(catalogue, name) for name in COLUMNS}, "product_")
    save_texts(folder, "ids", catalogue.ids)
    save_texts(folder, "titles", catalogue.titles)
    save_texts(folder, "categories", Coded.of(catalogue.categories).names)  # whose codes are the leaf level
    brands = Coded.of(catalogue.brands)
    save_texts(folder, "brands", brands.names)
    np.save(folder / "brands.npy", brands.codes)
    save_named(folder, {name: getattr(catalogue.levels, name) for name in LEVEL_NAMES}, LEVELS)


def _load_catalogue(folder: Path) -> Catalogue:
    columns = {name: map_array_now(folder, f"product_{name}") for name in COLUMNS}
    levels = Levels(**load_named(folder, LEVELS))
    categories = Coded(map_texts(folder, "categories"), levels.leaf)
    brands = Coded(map_texts(folder, "brands"), map_array_now(folder, "brands"))
    catalogue = Catalogue(map_texts(folder, "ids"), map_texts(folder, "titles"), categories, brands, **columns)
    vars(catalogue)["levels"] = levels
    return catalogue


def _save_worked_out(folder: Path, matrix: ProductMatrix) -> None:
    save_named(folder, {name: getattr(matrix, name) for name in WORKED_OUT}, "worked_out_")
    index, (titles, ids) = matrix.key_index, matrix.searched
    save_named(folder, {"keys": index.keys, "order": index.order, "start": index.start}, INDEX)
    save_texts(folder, "searched_titles", titles)
    save_texts(folder, "searched_ids", ids)


def _load_worked_out(folder: Path) -> dict[str, Any]:
    arrays: dict[str, Any] = {name: map_array_now(folder, f"worked_out_{name}") for name in WORKED_OUT}
    searched = map_texts(folder, "searched_titles"), map_texts(folder, "searched_ids")
    return arrays | {"key_index": KeyIndex(**load_named(folder, INDEX)), "searched": searched}


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
