"""A model package: one versioned folder with everything that ranking needs, in formats that cannot execute code.

Layout: `manifest.json` (schema, cutoff, settings, checksums), `products.parquet`, `*.npy` (memory-mapped, so workers
share them), among them `neural_*.npy` (the network's arrays) and `encoder_*.npy` (the encoder's), `ranker.txt`
(LightGBM text), `ranker.onnx` (the same trees), `student.onnx` and `student_int8.onnx`, `golden.parquet` (requests and
the answers it gave when it was made: see `training.selftest`). The version is a digest of the content: same inputs,
same version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from configs.errors import PackageError
from configs.home import read_json, write_json
from configs.settings import CandidateSettings, FeatureSettings, RankingSettings
from features.context import ProductMatrix
from features.cooccurrence import CategoryCooccurrence, Cooccurrence, Neighbours
from features.definitions import COLUMNS
from features.encoder import Encoder
from features.history import Catalogue, catalogue_of
from features.products import ProductStats
from training.blend import Blend
from training.golden import Golden, load_golden, save_golden
from training.neural.network import NeuralRanker

FORMAT = 9
MANIFEST, PRODUCTS, RANKER, NEURAL, ENCODER = "manifest.json", "products.parquet", "ranker.txt", "neural_", "encoder_"
TREES = "ranker.onnx"
GOLDEN = "golden.parquet"
KEYS = ("keys", "category_keys", "brand_keys")
PAGE_BYTES = 4096
STUDENTS = ("student", "student_int8")
POPULAR = "segment_popular"


@dataclass(frozen=True)
class ModelPackage:
    """A package, loaded or about to be saved.

    Attributes:
        version: 12 hex digits of the content's digest; "" before it is saved.
        as_of: cutoff, unix seconds: the package knows nothing later. data: fingerprint of its data set.
        matrix: the product side. candidates: how many each generator may contribute.
        gbm: LightGBM model text. trees: the same as ONNX. neural: the network.
        students: the network distilled from both, ONNX models by name.
        heads: how scores add up, by head. ranking: how they make a list, and the head that does.
        clock: "historical" (the data end in the past and time is counted on from `as_of`) or "live".
        popular: int32[segments, n], the popular sets of `features.segments`.
        golden: recorded requests and what it answered.
        feedback: fingerprint of what it learned of shown products; None if nothing.
    """

    version: str
    as_of: int
    data: str
    clock: str
    matrix: ProductMatrix
    candidates: CandidateSettings
    gbm: str
    trees: bytes
    neural: NeuralRanker
    students: Mapping[str, bytes]
    heads: Mapping[str, Blend]
    ranking: RankingSettings
    popular: NDArray[np.int32]
    golden: tuple[Golden, ...] = ()
    feedback: str | None = None

    @property
    def products(self) -> Catalogue:
        """The products it can recommend."""
        return self.matrix.catalogue

    @classmethod
    def load(cls, folder: Path) -> ModelPackage:
        """Return the package in `folder`, its arrays memory-mapped, after checking every file's checksum.

        Raises:
            PackageError: no package, a changed or missing file, or made for other features than this code's.
        """
        manifest = read_json(folder / MANIFEST)
        if manifest is None:
            raise PackageError(f"No model package lies in {folder}: run `tillwise train`, or check the path.")
        _check(folder, manifest)
        features = FeatureSettings(**manifest["features"])
        catalogue = catalogue_of(pq.read_table(folder / PRODUCTS), {name: _map(folder, name) for name in KEYS})
        pa.default_memory_pool().release_unused()  # of reading: of a million products 150 MB
        matrix = ProductMatrix(
            catalogue,
            _load_stats(folder),
            _load_together(folder),
            features,
            _load_encoder(folder, manifest["encoder"]),
        )
        return cls(
            version=manifest["version"],
            as_of=manifest["as_of"],
            data=manifest["data"],
            clock=manifest["clock"],
            matrix=matrix,
            candidates=CandidateSettings(**manifest["candidates"]),
            gbm=(folder / RANKER).read_text(encoding="utf-8"),
            trees=(folder / TREES).read_bytes(),
            neural=_load_network(folder),
            students={name: (folder / f"{name}.onnx").read_bytes() for name in STUDENTS},
            heads={name: Blend(**head) for name, head in manifest["heads"].items()},
            ranking=RankingSettings(**manifest["ranking"]),
            popular=_map(folder, POPULAR),
            golden=load_golden(folder / GOLDEN),
            feedback=manifest.get("feedback"),
        )


def save_package(folder: Path, package: ModelPackage) -> str:
    """Write a package into the empty `folder` and return its version, which `package.version` does not tell yet."""
    matrix = package.matrix
    np.save(folder / f"{POPULAR}.npy", package.popular)
    _save_catalogue(folder, matrix.catalogue)
    for name in ProductStats.names():
        np.save(folder / f"stats_{name}.npy", getattr(matrix.stats, name))
    together = matrix.together
    np.save(folder / "vectors.npy", together.vectors)
    _save_neighbours(folder, "cosine", together.cosine)
    _save_neighbours(folder, "confidence", together.confidence)
    for level, categories in {"leaf": together.leaf, "parent": together.parent}.items():
        _save_neighbours(folder, level, categories.confidence)
        np.save(folder / f"{level}_share.npy", categories.share)
    _save_encoder(folder, matrix.encoder)
    (folder / RANKER).write_text(package.gbm, encoding="utf-8")
    (folder / TREES).write_bytes(package.trees)
    for name, array in package.neural.arrays().items():
        np.save(folder / f"{NEURAL}{name}.npy", array)
    for name in STUDENTS:
        (folder / f"{name}.onnx").write_bytes(package.students[name])
    save_golden(folder / GOLDEN, package.golden)
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "as_of": package.as_of,
        "data": package.data,
        "clock": package.clock,
        "columns": list(COLUMNS),
        "features": matrix.features.model_dump(),
        "candidates": package.candidates.model_dump(),
        "encoder": _encoder_settings(matrix.encoder),
        "heads": {name: head.as_dict() for name, head in package.heads.items()},
        "ranking": package.ranking.model_dump(),
        "files": {path.name: _digest(path) for path in sorted(folder.iterdir())},
    }
    if package.feedback is not None:
        manifest["feedback"] = package.feedback
    manifest["version"] = _version(manifest)
    write_json(folder / MANIFEST, manifest)
    return str(manifest["version"])


def _version(manifest: Mapping[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "version"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _check(folder: Path, manifest: Mapping[str, Any]) -> None:
    where = f"The model package in {folder}"
    if manifest.get("format") != FORMAT:
        raise PackageError(f"{where} has format {manifest.get('format')}, this code reads {FORMAT}: train again.")
    if manifest["columns"] != list(COLUMNS):
        differ = sorted(set(manifest["columns"]) ^ set(COLUMNS)) or ["their order"]
        raise PackageError(f"{where} was made for other features than this code's ({', '.join(differ)}): train again.")
    if _version(manifest) != manifest["version"]:
        raise PackageError(f"{where} has a changed manifest: register or train it again.")
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.exists() or _digest(path) != digest:
            raise PackageError(f"{where} is corrupt: {name} is missing or changed. Register or train it again.")


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


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


def _load_stats(folder: Path) -> ProductStats:
    return ProductStats(**{name: _map(folder, f"stats_{name}") for name in ProductStats.names()})


def _save_neighbours(folder: Path, name: str, neighbours: Neighbours) -> None:
    for part in ("start", "partner", "weight"):
        np.save(folder / f"{name}_{part}.npy", getattr(neighbours, part))


def _load_neighbours(folder: Path, name: str) -> Neighbours:
    start, partner, weight = (_map(folder, f"{name}_{part}") for part in ("start", "partner", "weight"))
    return Neighbours(start, partner, weight)


def _load_together(folder: Path) -> Cooccurrence:
    leaf, parent = (
        CategoryCooccurrence(_load_neighbours(folder, level), _map(folder, f"{level}_share"))
        for level in ("leaf", "parent")
    )
    cosine, confidence = _load_neighbours(folder, "cosine"), _load_neighbours(folder, "confidence")
    return Cooccurrence(cosine, confidence, leaf, parent, _map(folder, "vectors"))


def _save_encoder(folder: Path, encoder: Encoder | None) -> None:
    if encoder is not None:
        for name, array in encoder.arrays().items():
            np.save(folder / f"{ENCODER}{name}.npy", array)


def _encoder_settings(encoder: Encoder | None) -> dict[str, Any] | None:
    return None if encoder is None else {"history": encoder.history, "timezone": encoder.timezone}


def _load_encoder(folder: Path, settings: Mapping[str, Any] | None) -> Encoder | None:
    if settings is None:
        return None
    return Encoder.from_arrays(_load_named(folder, ENCODER), **settings)


def _load_network(folder: Path) -> NeuralRanker:
    return NeuralRanker.from_arrays(_load_named(folder, NEURAL))


def _load_named(folder: Path, prefix: str) -> dict[str, NDArray[Any]]:
    names = [path.stem for path in folder.glob(f"{prefix}*.npy")]
    return {name.removeprefix(prefix): _map(folder, name) for name in names}


def _map(folder: Path, name: str) -> NDArray[Any]:
    # Copy-on-write, and nobody writes, so that memory stays shared; read-only arrays cost kernels more than their work.
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="c", allow_pickle=False)
    # Touch a byte of each page: it is mapped now, not by the first request that needs it.
    array.ravel(order="K").view(np.uint8)[::PAGE_BYTES].max(initial=0)
    return array.view(np.ndarray)  # a plain array over the same mapped memory: np.memmap's wrappers cost per call
