"""Checks that the package can serve: made for this code, whole, and answering as on the day it was made."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from configs.errors import PackageError
from features.definitions import COLUMNS
from training.gate.verdict import Check
from training.manifest import read_manifest
from training.package import FORMAT, ModelPackage
from training.recommender import Recommender
from training.selftest import check as test_itself


def schema(folder: Path) -> Check:
    """Check that the package has the format and the feature columns that the serving code reads."""
    manifest = read_manifest(folder) or {}
    columns = manifest.get("columns", [])
    found = {"format": manifest.get("format"), "columns": columns_digest(columns)}
    wanted = {"format": FORMAT, "columns": columns_digest(COLUMNS)}
    passed = found == wanted
    says = "its format and feature columns are those that this code serves"
    if not manifest:
        says = f"there is no package in {folder}"
    elif found["format"] != FORMAT:
        says = f"its package has format {found['format']}, and this code serves format {FORMAT}: train again"
    elif not passed:
        differ = sorted(set(columns) ^ set(COLUMNS)) or ["their order"]
        says = f"it was made for other feature columns than this code computes ({', '.join(differ)}): train again"
    return Check("schema", passed, _short(found), _short(wanted), says, {"found": found, "serving": wanted})


def loads(folder: Path) -> tuple[Check, ModelPackage | None]:
    """Check that the package is what was written; return it, too, if it is."""
    try:
        package = ModelPackage.load(folder)
    except (PackageError, OSError, ValueError, KeyError) as error:
        return Check("package", False, "damaged", "whole", f"its package does not load: {error}"), None
    return Check(
        "package", True, "whole", "whole", f"every file of package {package.version} has its checksum"
    ), package


def self_test(package: ModelPackage) -> Check:
    """Check that the package answers its recorded requests as it did when it was made."""
    try:
        test_itself(Recommender(package))
    except PackageError as error:
        return Check("self-test", False, "answers otherwise", "answers as recorded", str(error))
    count = f"{len(package.golden)} recorded requests"
    return Check("self-test", True, count, "answers as recorded", f"its {count} are answered as when it was made")


def columns_digest(columns: Sequence[str]) -> str:
    """Return 12 hex digits that name feature columns and their order."""
    return hashlib.sha256("\n".join(columns).encode()).hexdigest()[:12]


def _short(schema: dict[str, object]) -> str:
    return f"format {schema['format']}, columns {schema['columns']}"
