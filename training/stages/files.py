"""What one step of training finds of the others: the examples with their record, and what was trained on them."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from configs.errors import NotBuiltError, StageError
from configs.home import WorkFolder, file_digest, read_json, write_json
from training.example_files import map_split
from training.examples import Split

EXAMPLES, GBM, NEURAL = "examples", "gbm", "neural"
"""Folders, and the names of the records in them."""

SIDE, TREES = "side", "trees.txt"


@dataclass(frozen=True)
class ExamplesRecord:
    """What belongs to examples beside the arrays.

    Attributes:
        content: digest of all other files, as they were written.
        as_of: cutoff of the product side, unix seconds. data: fingerprint of the data set. clock: as in a package.
        side: settings of the product side, as `training.product_side` wants them. tried: draws made, by part.
        feedback: fingerprint of what is learned of shown products; None if nothing.
    """

    content: str
    as_of: int
    data: str
    clock: str
    side: dict[str, Any]
    tried: dict[str, int]
    feedback: str | None = None


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of all files below a folder and of their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(folder)}\0{file_digest(path)}\n".encode())
    return digest.hexdigest()


def write_examples_record(folder: Path, record: ExamplesRecord) -> None:
    """Write the record into the folder of the examples that it tells of."""
    write_json(folder / f"{EXAMPLES}.json", asdict(record))


def read_examples_record(work: WorkFolder) -> ExamplesRecord:
    """Return the record of the newest examples.

    Raises:
        NotBuiltError: there are none.
    """
    return ExamplesRecord(**_record(work, EXAMPLES))


def newest_examples(work: WorkFolder) -> tuple[ExamplesRecord, Split]:
    """Return the newest examples, their arrays memory-mapped, with their record.

    Raises:
        NotBuiltError: there are none.
    """
    record = read_examples_record(work)
    return record, map_split(work.training / EXAMPLES, record.tried)


def write_ranker_record(folder: Path, name: str, examples: ExamplesRecord, **known: Any) -> None:
    """Write into the folder of a trained ranker which examples it learned from, and what else is known of it."""
    write_json(folder / f"{name}.json", {"examples": examples.content} | known)


def ranker_folder(work: WorkFolder, name: str, examples: ExamplesRecord) -> Path:
    """Return where the files of the ranker `GBM` or `NEURAL` lie, which learned from these examples.

    Raises:
        NotBuiltError: it has not been trained. StageError: it learned from other examples.
    """
    folder = work.training / name
    if _record(work, name)["examples"] != examples.content:
        raise StageError(
            f"What lies in {folder} was trained on other examples than those in {work.training / EXAMPLES}: run "
            "`tillwise train --force`."
        )
    return folder


def _record(work: WorkFolder, name: str) -> dict[str, Any]:
    folder = work.training / name
    found: dict[str, Any] | None = read_json(folder / f"{name}.json")
    if found is None:
        raise NotBuiltError(f"Training is not that far, nothing lies in {folder}: run `tillwise train`.")
    return found
