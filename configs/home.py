"""The work folder (`TILLWISE_HOME`, default `var/`): where each stage's products lie, and writing them whole.

Everything below it but `record/` is built, may be deleted at any time, and is rebuilt by `make run`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import ConfigError


@dataclass(frozen=True)
class WorkFolder:
    """Paths inside the work folder; creating none of them."""

    root: Path

    @property
    def data(self) -> Path:
        """Validated contract tables (Parquet) and the quarantine: written by `ingest`."""
        return self.root / "data"

    @property
    def features(self) -> Path:
        """Feast's offline Parquet files and registry: written by `features`."""
        return self.root / "features"

    @property
    def training(self) -> Path:
        """Examples, trees and network: what the steps of training leave each other (`training.stages`)."""
        return self.root / "training"

    @property
    def model(self) -> Path:
        """The newest trained model package: written by `package`."""
        return self.root / "model"

    @property
    def registry(self) -> Path:
        """MLflow's database and artifacts: written by `register` and `promote`."""
        return self.root / "registry"

    @property
    def reports(self) -> Path:
        """Machine-readable results: evaluation.json, replay.json, …"""
        return self.root / "reports"

    @property
    def stages(self) -> Path:
        """One record a finished stage: fingerprint, counts, seconds, peak memory."""
        return self.root / "stages"

    @property
    def record(self) -> Path:
        """The system of record: SQLite's file and the event log. Unlike the rest it cannot be rebuilt."""
        return self.root / "record"

    @property
    def logs(self) -> Path:
        """Log files of the processes that `up` starts."""
        return self.root / "logs"

    @property
    def suppressed(self) -> Path:
        """Who is to be left out of future training sets, as digests: see `events.suppression`."""
        return self.root / "suppressed.json"

    @property
    def run(self) -> Path:
        """Pid files and sockets of running processes."""
        return self.root / "run"

    @property
    def redis(self) -> Path:
        """Append-only file of the embedded Redis."""
        return self.root / "redis"


@contextlib.contextmanager
def replace_directory(target: Path) -> Iterator[Path]:
    """Yield an empty folder that takes the place of `target` when the block ends without an error.

    An interrupted block leaves `target` as it was. Whatever an earlier killed process left beside it is removed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f".{target.name}.*.partial"):
        shutil.rmtree(stale, ignore_errors=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if target.exists():
            old = target.with_name(f".{target.name}.old.partial")
            target.rename(old)
            partial.rename(target)
            shutil.rmtree(old)
        else:
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def replace_file(target: Path) -> Iterator[Path]:
    """Yield a path to write to; the file there takes the place of `target` when the block ends without an error.

    Raises:
        ConfigError: nothing can be written there: no such folder, no permission, or `target` is a folder.
    """
    if not target.parent.is_dir():
        raise ConfigError(f"{target} cannot be written: there is no folder {target.parent}. Create it first.")
    if target.is_dir():
        raise ConfigError(f"{target} is a folder: name a file to write to.")
    try:
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent)
    except PermissionError:
        raise ConfigError(f"{target} cannot be written: {target.parent} takes no files from this user.") from None
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        partial.chmod(0o644)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON to `path` in one step: readers see the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(content, stream, indent=2, sort_keys=False, ensure_ascii=False)
            stream.write("\n")
        partial.chmod(0o644)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """Return the parsed content of `path`, or None when there is no such file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
