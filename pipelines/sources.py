"""Which of our source files a function rests on: its module and everything of ours that it imports, transitively.

Read from the files' syntax, without importing anything.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterator
from pathlib import Path

import configs

ROOT = Path(configs.__file__).parents[1]
PACKAGES = frozenset({"configs", "events", "features", "training", "serving", "monitoring"})
SETTINGS = ("audit", "feedback", "gating", "learning", "live", "section", "settings")
HELPERS = ("absent", "causes", "errors", "home", "lock", "logs", "processes", "provenance", "stage", "urls")
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
    pending, seen = [module], set[str]()
    while pending:
        name = pending.pop()
        if name in seen or name in PLUMBING or name.partition(".")[0] not in counted:
            continue
        seen.add(name)
        path = module_file(name, root)
        if path is None:
            continue
        found[name] = path
        pending += imported_names(path.read_bytes())
        pending += [name.rpartition(".")[0]] if "." in name else []
    return found


def module_file(name: str, root: Path = ROOT) -> Path | None:
    """Return the file of a module or package below `root`; None when `name` is neither."""
    base = root.joinpath(*name.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


@functools.cache
def imported_names(source: bytes) -> tuple[str, ...]:
    """Return every dotted name that a source text imports anywhere in it: modules, and names that may be modules.

    Remembered, since the stages of a table rest on the same files.
    """
    found: list[str] = []
    for statement in _statements(ast.parse(source)):
        if isinstance(statement, ast.Import):
            found += [alias.name for alias in statement.names]
        elif isinstance(statement, ast.ImportFrom) and statement.level == 0 and statement.module:
            found += [statement.module, *(f"{statement.module}.{alias.name}" for alias in statement.names)]
    return tuple(found)


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements in a node, however deep, without going into expressions: those import nothing."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        for inner in getattr(node, name, ()):
            if isinstance(inner, ast.stmt):
                yield inner
            yield from _statements(inner)
