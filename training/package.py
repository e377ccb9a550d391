"""A model package: one versioned folder with everything that ranking needs, in formats that cannot execute code.

Layout: `manifest.json` (schema, cutoff, settings, checksums), `*.npy` (memory-mapped, so workers share them: see
`training.product_side`; among them `neural_*.npy`, the network's arrays), `ranker.txt` (LightGBM text), `ranker.onnx`
(the same trees), `student.onnx` and `student_int8.onnx`, `golden.parquet` (requests and the answers it gave when it was
made: see `training.selftest`). The version is a digest of the content: same inputs, same version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.errors import PackageError
from configs.home import file_digest, write_json
from configs.settings import CandidateSettings, RankingSettings
from features.context import ProductMatrix
from features.definitions import COLUMNS
from features.history import Catalogue
from training.arrays import load_named, map_array_now, save_named
from training.blend import Blend
from training.golden import Golden, load_golden, save_golden
from training.manifest import MANIFEST, read_manifest
from training.neural.network import NeuralRanker
from training.product_side import load_side, save_side

FORMAT = 10
RANKER, TREES, NEURAL, GOLDEN = "ranker.txt", "ranker.onnx", "neural_", "golden.parquet"
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
        manifest = read_manifest(folder)
        if manifest is None:
            raise PackageError(f"No model package lies in {folder}: run `tillwise train`, or check the path.")
        _check(folder, manifest)
        return cls(
            version=manifest["version"],
            as_of=manifest["as_of"],
            data=manifest["data"],
            clock=manifest["clock"],
            matrix=load_side(folder, manifest),
            candidates=CandidateSettings(**manifest["candidates"]),
            gbm=(folder / RANKER).read_text(encoding="utf-8"),
            trees=(folder / TREES).read_bytes(),
            neural=NeuralRanker.from_arrays(load_named(folder, NEURAL)),
            students={name: (folder / f"{name}.onnx").read_bytes() for name in STUDENTS},
            heads={name: Blend(**head) for name, head in manifest["heads"].items()},
            ranking=RankingSettings(**manifest["ranking"]),
            popular=map_array_now(folder, POPULAR),
            golden=load_golden(folder / GOLDEN),
            feedback=manifest.get("feedback"),
        )


def save_package(folder: Path, package: ModelPackage) -> str:
    """Write a package into the empty `folder` and return its version, which `package.version` does not tell yet."""
    np.save(folder / f"{POPULAR}.npy", package.popular)
    side = save_side(folder, package.matrix)
    (folder / RANKER).write_text(package.gbm, encoding="utf-8")
    (folder / TREES).write_bytes(package.trees)
    save_named(folder, package.neural.arrays(), NEURAL)
    for name in STUDENTS:
        (folder / f"{name}.onnx").write_bytes(package.students[name])
    save_golden(folder / GOLDEN, package.golden)
    manifest: dict[str, Any] = side | {
        "format": FORMAT,
        "as_of": package.as_of,
        "data": package.data,
        "clock": package.clock,
        "columns": list(COLUMNS),
        "candidates": package.candidates.model_dump(),
        "heads": {name: head.as_dict() for name, head in package.heads.items()},
        "ranking": package.ranking.model_dump(),
        "files": {path.name: file_digest(path) for path in sorted(folder.iterdir())},
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
        if not path.exists() or file_digest(path) != digest:
            raise PackageError(f"{where} is corrupt: {name} is missing or changed. Register or train it again.")
