"""Imports between our folders point in the direction that the design's table allows, wherever they stand."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAY_IMPORT: dict[str, set[str]] = {
    "configs": set(),
    "events": {"configs"},
    "features": {"configs", "events"},
    "training": {"configs", "events", "features"},
    "serving": {"configs", "events", "features", "training"},
    "monitoring": {"configs", "events", "features", "training"},
    "storefront": set(),
    "pipelines": {"configs", "events", "features", "training", "serving", "monitoring", "storefront"},
    "benchmarks": {"configs", "events", "features", "training", "serving", "monitoring", "pipelines"},
}
HEAVY = {"great_expectations", "evidently", "prefect", "mlflow", "feast"}
HOT_FOLDERS = ("events", "serving")


def imports_of(path: Path) -> Iterator[str]:
    """Yield the top-level package of every import in a file, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively, which hides the direction"
            yield (node.module or "").partition(".")[0]


def modules_of(folder: str) -> list[str]:
    """Return the dotted names of a folder's modules."""
    files = sorted((ROOT / folder).rglob("*.py"))
    return [".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in files]


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_a_folder_imports_only_what_the_design_allows(folder: str) -> None:
    ours, allowed = set(MAY_IMPORT), MAY_IMPORT[folder] | {folder}
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in (ROOT / folder).rglob("*.py")
        for name in imports_of(path)
        if (name in ours and name not in allowed) or name == "tests"
    ]
    assert wrong == []


def test_every_folder_with_code_has_its_row_in_the_table() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert folders <= set(MAY_IMPORT)


@pytest.mark.parametrize("folder", HOT_FOLDERS)
def test_serving_and_consuming_load_no_heavy_library(folder: str) -> None:
    modules = [name for name in modules_of(folder) if not name.endswith("__main__")]
    code = f"import importlib, sys\nfor name in {modules!r}: importlib.import_module(name)\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert HEAVY & {name.partition(".")[0] for name in done.stdout.split()} == set()


def test_help_loads_nothing_that_takes_long() -> None:
    code = (
        "import sys\nfrom pipelines.cli.app import command_tree\ncommand_tree()\n"
        "print(*(name.partition('.')[0] for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    slow = HEAVY | {"numpy", "pandas", "pyarrow", "lightgbm", "bentoml", "litestar", "redis", "httpx"}
    assert slow & set(done.stdout.split()) == set()
