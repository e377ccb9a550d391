"""Small stages that the build tests run in real processes: they leave traces that the tests read."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time

from configs import Progress, Settings, StageReport
from configs.errors import DataError
from configs.home import replace_directory
from pipelines.stages import Stage

OUTSIDE = "outside.txt"
MEGABYTES = 120


def _leave(settings: Settings, name: str) -> StageReport:
    with replace_directory(settings.work.root / name) as folder:
        (folder / "content.txt").write_text(f"{name} by {os.getpid()}")
    with (settings.work.root / "trace.txt").open("a") as trace:
        trace.write(f"{name}\n")
    return StageReport(name, read={"rows": 3}, wrote={"files": 1}, rejected={"too small": 1})


def first(settings: Settings, progress: Progress) -> StageReport:
    progress.update("halfway", 0.5)
    return _leave(settings, "first")


def second(settings: Settings, progress: Progress) -> StageReport:
    return _leave(settings, "second")


def aside(settings: Settings, progress: Progress) -> StageReport:
    return _leave(settings, "aside")


def last(settings: Settings, progress: Progress) -> StageReport:
    return _leave(settings, "last")


def outside(settings: Settings) -> str:
    """What the first stage reads from outside the work folder."""
    return (settings.work.root / OUTSIDE).read_text()


def there(settings: Settings) -> bool:
    """Whether what the last stage keeps elsewhere is still there."""
    return not (settings.work.root / "lost").exists()


def wrong_data(settings: Settings, progress: Progress) -> StageReport:
    raise DataError("Table orders holds a price of 'seven': give a number.")


def disk_full(settings: Settings, progress: Progress) -> StageReport:
    with replace_directory(settings.work.root / "disk_full"):
        raise OSError(errno.ENOSPC, "No space left on device")


def defect(settings: Settings, progress: Progress) -> StageReport:
    return StageReport("defect", metrics={"share": 1 / len(settings.registry.experiment[:0])})


def vanish(settings: Settings, progress: Progress) -> StageReport:
    print("about to vanish")
    sys.stdout.flush()
    os._exit(9)


def hog(settings: Settings, progress: Progress) -> StageReport:
    held = b"x" * (MEGABYTES * 2**20)
    return StageReport("hog", read={"bytes": len(held)})


def slow(settings: Settings, progress: Progress) -> StageReport:
    """Writes half of its result, starts a worker, says so, and then takes for ever."""
    with replace_directory(settings.work.root / "slow") as folder:
        (folder / "half.txt").write_text("half")
        worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (settings.work.root / "pids.txt").write_text(f"{os.getpid()} {worker.pid}")
        progress.update("working", 0.3)
        time.sleep(600)
    return StageReport("slow")


def endless(settings: Settings, progress: Progress) -> StageReport:
    """Says who it is and takes for ever."""
    (settings.work.root / "pids-endless.txt").write_text(str(os.getpid()))
    time.sleep(600)
    return StageReport("endless")


def meets(settings: Settings, progress: Progress) -> StageReport:
    """Done as soon as `other` runs at the same time."""
    return _meet(settings, "meets", "other")


def other(settings: Settings, progress: Progress) -> StageReport:
    """Done as soon as `meets` runs at the same time."""
    return _meet(settings, "other", "meets")


def _meet(settings: Settings, name: str, whom: str) -> StageReport:
    (settings.work.root / f"{name}.here").touch()
    deadline = time.monotonic() + 30
    while not (settings.work.root / f"{whom}.here").exists():
        if time.monotonic() > deadline:
            raise DataError(f"{whom} did not come")
        time.sleep(0.01)
    return _leave(settings, name)


def fails_beside_slow(settings: Settings, progress: Progress) -> StageReport:
    """Fails once `slow` is at work."""
    while not (settings.work.root / "pids.txt").exists():
        time.sleep(0.01)
    raise DataError("Half of the rows are gone.")


def stage(name: str, **facts: object) -> Stage:
    """Return a table row for one of the functions above."""
    known = {"function": f"{__name__}:{name}", "does": f"run {name}", "seconds": 1.0}
    return Stage(name=name, **(known | facts))  # type: ignore[arg-type]  # facts are Stage's own fields


CHAIN = (
    stage("first", settings=("dataset",), outputs=("first",), inputs=f"{__name__}:outside"),
    stage("second", upstream=("first",), settings=("windows",), outputs=("second",)),
    stage("aside", upstream=("first",), settings=("training",), outputs=("aside/content.txt",)),
    stage("last", upstream=("second", "aside"), settings=("replay",), intact=f"{__name__}:there"),
)
FORK = (stage("slow"), stage("endless"), stage("last", upstream=("slow", "endless")))
