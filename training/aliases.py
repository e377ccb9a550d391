"""Pointers: which package an alias of the registry means, as a small file that a serving process can watch.

Written by `promote`, `rollback` and `tillwise follow`; read by every replica, which therefore needs neither MLflow nor
the registry. `var/run/aliases/champion.json` is replaced in one step: a reader sees the old pointer or the new one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import url2pathname

from configs import Settings
from configs.errors import PackageError
from configs.home import WorkFolder, read_json, replace_file, write_json

CHAMPION, CHALLENGER = "champion", "challenger"
FOLLOWED = (CHAMPION, CHALLENGER)
"""Aliases that replicas follow: what serves, and what may be tried beside it."""


@dataclass(frozen=True)
class Pointer:
    """What an alias means now.

    Attributes:
        alias: its name. version: in the registry. package: version of the package, a digest of its content.
        folder: where the package lies on this machine.
        since: when it was pointed there, RFC 3339. by: the decision or process that did it.
    """

    alias: str
    version: str
    package: str
    folder: str
    since: str
    by: str

    def means(self, version: str, package: str) -> bool:
        """Return whether it points at this version already, in a folder that is still there."""
        return (self.version, self.package) == (version, package) and Path(self.folder).is_dir()


def pointer_path(work: WorkFolder, alias: str) -> Path:
    """Return where the pointer of an alias lies."""
    return work.run / "aliases" / f"{alias}.json"


def read_pointer(path: Path) -> Pointer | None:
    """Return the pointer in a file; None when there is no such file.

    Raises:
        PackageError: something else stands there.
    """
    try:
        content = read_json(path)
        return None if content is None else Pointer(**content)
    except (ValueError, TypeError) as error:
        raise PackageError(
            f"{path} is no pointer to a model package ({error}): promote a version again, or delete the file and "
            "restart `tillwise follow`."
        ) from None


def point(work: WorkFolder, alias: str, *, version: str, package: str, folder: Path, by: str) -> Pointer:
    """Write and return the pointer of an alias; every replica on this machine follows within a second or so."""
    with pointing(work, alias, version=version, package=package, folder=folder, by=by) as pointer:
        return pointer


@contextmanager
def pointing(work: WorkFolder, alias: str, *, version: str, package: str, folder: Path, by: str) -> Iterator[Pointer]:
    """Yield the pointer of an alias, written beside the present one, whose place it takes when the block ends well.

    So a disk without room is noticed before the registry moves the alias, and a registry that fails leaves the pointer.
    """
    path, since = pointer_path(work, alias), datetime.now(UTC).isoformat(timespec="milliseconds")
    pointer = Pointer(alias, version, package, str(folder), since, by)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replace_file(path) as partial:
        write_json(partial, asdict(pointer))
        yield pointer


def registry_uri(settings: Settings) -> str:
    """Return the MLflow URI of the registry in use."""
    return settings.registry.uri or f"sqlite:///{settings.work.registry / 'mlflow.db'}"


def local_folder(source: str) -> Path | None:
    """Return the folder that a version's source names on this machine; None if it is elsewhere."""
    return Path(url2pathname(source.removeprefix("file://"))) if source.startswith("file://") else None
