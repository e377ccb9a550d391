"""Small stages that the build tests run in real processes: they leave traces that the tests read."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time

from configs import Progress, Settings, StageReport
from configs.errors import BusyError, DataError, PromotionError
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


def busy(settings: Settings, progress: Progress) -> StageReport:
    """Finds something locked twice, and is done at the third try."""
    tries = settings.work.root / "tries.txt"
    with tries.open("a") as note:
        note.write("x")
    if len(tries.read_text()) <= 2:
        raise BusyError("The registry is locked: try again.")
    return _leave(settings, "busy")


def refused(settings: Settings, progress: Progress) -> StageReport:
    raise PromotionError("Version 2 is not promoted to champion: it is no better.")


def holds(settings: Settings, progress: Progress, name: str = "holds") -> StageReport:
    """Says that it has begun to write, and goes on once nobody holds it back: `FILE` below the work folder does."""
    with replace_directory(settings.work.root / f"{name}-half") as folder:
        (folder / "half.txt").write_text("half")
        (settings.work.root / f"{name}.pid").write_text(str(os.getpid()))
        while (settings.work.root / f"hold-{name}").exists():
            time.sleep(0.02)
    return _leave(settings, name)


def one(settings: Settings, progress: Progress) -> StageReport:
    return holds(settings, progress, "one")


def left(settings: Settings, progress: Progress) -> StageReport:
    return holds(settings, progress, "left")


def right(settings: Settings, progress: Progress) -> StageReport:
    return holds(settings, progress, "right")


def end(settings: Settings, progress: Progress) -> StageReport:
    return holds(settings, progress, "end")


def decides(settings: Settings, progress: Progress) -> StageReport:
    """Notes when it comes and when it goes."""
    for word in ("in", "out"):
        with (settings.work.root / "decided.txt").open("a") as note:
            note.write(f"{word} ")
        time.sleep(0.3)
    return StageReport("decides")


def registers(settings: Settings, progress: Progress) -> StageReport:
    """Registers an empty version in the real registry, unless one is there; a file `full` means that its disk is."""
    from training.registry import registry_client  # takes longer to import than all the others run

    client = registry_client(settings)
    name = settings.registry.model_name
    if (settings.work.root / "full").exists():
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    found = client.search_model_versions(f"name='{name}'")
    if not found:
        experiment = client.create_experiment("t", artifact_location=(settings.work.registry / "artifacts").as_uri())
        run = client.create_run(experiment)
        client.create_registered_model(name)
        found = [client.create_model_version(name, "file:///nowhere", run.info.run_id)]
    client.set_registered_model_tag(name, f"decided.{os.getpid()}", "x" * 3000)
    return StageReport("register", metrics={"version": int(found[0].version)})


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
DIAMOND = (
    stage("one", outputs=("one",)),
    stage("left", upstream=("one",), outputs=("left",)),
    stage("right", upstream=("one",), outputs=("right",)),
    stage("end", upstream=("left", "right"), outputs=("end",)),
)
REGISTER = (stage("register", function=f"{__name__}:registers"),)
