"""Which of our source files a function rests on: its module and everything of ours that it imports, transitively.

Read from the files' syntax, without importing anything.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

import configs

ROOT = Path(configs.__file__).parents[1]
PACKAGES = frozenset({"configs", "events", "features", "training", "serving", "monitoring"})
SETTINGS = ("audit", "feedback", "gating", "learning", "live", "section", "settings")
HELPERS = ("causes", "errors", "home", "lock", "logs", "processes", "provenance", "stage", "urls")
PLUMBING = frozenset(["configs"] + [f"configs.{name}" for name in (*HELPERS, *SETTINGS)])
"""Modules that do not change what a stage makes; the values of settings are compared themselves."""


def source_digest(function: str, root: Path = ROOT) -> str:
    """Return the sha256 of the source text behind "module:function".

    Args:
        function: as in `Stage.function`.
        root: folder that holds our packages.

    Raises:
        FileNotFoundError: the module does not exist below `root`.
    """
    module = function.partition(":")[0]
    if module_file(module, root) is None:
        raise FileNotFoundError(f"There is no module {module} in {root}.")
    digest = hashlib.sha256()
    for name, path in sorted(source_files(module, root).items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def source_files(module: str, root: Path = ROOT) -> dict[str, Path]:
    """Return the files of `module` and of every module of ours that it imports, by module name."""
    counted = PACKAGES | {module.partition(".")[0]}
    found: dict[str, Path] = {}
    pending = [module]
    while pending:
        name = pending.pop()
        path = module_file(name, root)
        if name in found or name in PLUMBING or path is None or name.partition(".")[0] not in counted:
            continue
        found[name] = path
        pending += imported_names(path)
        pending += [name.rpartition(".")[0]] if "." in name else []
    return found


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """Return the file of a module or package below `root`; None when `name` is neither."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def imported_names(path: Path) -> Iterator[str]:
    """Yield every dotted name that a file imports anywhere in it: modules, and names that may be modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
