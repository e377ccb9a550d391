"""Content-addressed build: runs exactly the stages whose inputs, settings, code or outputs changed, in order.

Every command and every flow that builds goes through `build`; the stages themselves know nothing of it.
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from configs import Settings
from configs.home import WorkFolder
from configs.lock import exclusive
from pipelines.disk import disk_full_error, means_disk_full, require_room
from pipelines.display import Display
from pipelines.fingerprint import fingerprints
from pipelines.loading import load_function
from pipelines.records import StageRecord, read_record, void_record, write_record
from pipelines.stage_runner import TICK_SECONDS, StoppedError, run_stage
from pipelines.stages import STAGES, Stage, stages_up_to

LOCK_SECONDS = 60.0
"""How long a stage waits for its own lock: what is decided about aliases takes some seconds."""


@dataclass(frozen=True)
class Step:
    """One stage of a planned build.

    Attributes:
        stage: which one. fingerprint: what its result is to be made from.
        record: its newest run, if any. fresh: whether that run's result still holds.
    """

    stage: Stage
    fingerprint: str
    record: StageRecord | None
    fresh: bool

    @property
    def expected_seconds(self) -> float:
        """How long a run is expected to take: as long as last time."""
        return self.record.seconds if self.record else self.stage.seconds


@dataclass(frozen=True)
class Outcome:
    """What a build did about one stage: `ran` it, or reused the run that `record` tells of."""

    record: StageRecord
    ran: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON-serialisable plain data."""
        return {"stage": self.record.report.stage, "ran": self.ran} | asdict(self.record)


def plan(settings: Settings, target: str, stages: Sequence[Stage] = STAGES, *, force: bool = False) -> list[Step]:
    """Return what building `target` would do, in order, without doing it.

    Args:
        settings: of this run. target: name of the last stage. stages: the stage table.
        force: run the target itself, and what are steps of it, even if nothing changed.
    """
    wanted = stages_up_to(target, stages)
    again = {target, *wanted[-1].steps} if force else set()
    wanted_prints = fingerprints(wanted, settings)
    steps = []
    for stage in wanted:
        record = read_record(settings.work, stage.name)
        fresh = stage.name not in again and _is_fresh(stage, wanted_prints[stage.name], record, settings)
        steps.append(Step(stage, wanted_prints[stage.name], record, fresh))
    return steps


class Work:
    """A build under way: it holds the lock of its work folder, and does steps, from any thread.

    Attributes:
        steps: what the build consists of, in the order of the stage table.
    """

    def __init__(self, settings: Settings, steps: Sequence[Step], display: Display) -> None:
        self.steps = tuple(steps)
        self._settings, self._display = settings, display
        self._halt, self._busy = threading.Event(), 0
        self._counting = threading.Lock()

    def begin(self, step: Step) -> Outcome | None:
        """Announce a step; return its outcome if its result still holds, else None: then `finish` is to do it."""
        if step.fresh and step.record is not None:
            self._display.reused(step.stage, step.record)
            return Outcome(step.record, ran=False)
        void_record(self._settings.work, step.stage.name)
        self._display.started(step.stage)
        return None

    def finish(self, step: Step) -> Outcome:
        """Run the stage of a step that has begun; return when it is done.

        Raises:
            TillwiseError: what the stage raised. StoppedError: `halt` was called.
        """
        with self._counted(step.stage):
            record = _run(step.stage, step.fingerprint, self._settings, self._display, {}, self._halt)
            write_record(self._settings.work, record)
        return Outcome(record, ran=True)

    def halt(self) -> None:
        """End the stages that run; none starts any more. Return when they have ended."""
        with self._counting:
            self._halt.set()
        while self._busy:
            with contextlib.suppress(KeyboardInterrupt):  # they are being ended already, in a few seconds at most
                time.sleep(TICK_SECONDS)

    @contextlib.contextmanager
    def _counted(self, stage: Stage) -> Iterator[None]:
        with self._counting:
            if self._halt.is_set():
                raise StoppedError.of(stage)
            self._busy += 1
        try:
            yield
        finally:
            with self._counting:
                self._busy -= 1


@contextlib.contextmanager
def under_way(
    settings: Settings,
    target: str,
    display: Display,
    *,
    stages: Sequence[Stage] = STAGES,
    force: bool = False,
    alone: bool = False,
    patience: float = 0.0,
) -> Iterator[Work]:
    """Yield the build of `target` for whoever decides when its steps are done; nobody else builds meanwhile.

    If the block ends by an error, what still runs is ended, and nothing half-written stays.

    Args and Raises: as in `build`.
    """
    with _only_build(settings, patience):
        steps = plan(settings, target, stages, force=force)
        if alone:
            steps = [step for step in steps if step.stage.name == target]
        stale = [step for step in steps if not step.fresh]
        if stale:
            require_room(settings)
        with display.build({step.stage: step.expected_seconds for step in stale}):
            work = Work(settings, steps, display)
            try:
                yield work
            except BaseException:
                work.halt()
                remove_partials(settings.work)
                raise


def build(
    settings: Settings,
    target: str,
    display: Display,
    *,
    stages: Sequence[Stage] = STAGES,
    force: bool = False,
    alone: bool = False,
    patience: float = 0.0,
) -> list[Outcome]:
    """Bring `target` and everything it depends on up to date; return what was done about each stage, in order.

    Stages that do not rest on each other run beside each other. An error of one ends the others.

    Args:
        settings: of this run. target: name of the last stage. display: who is told.
        stages: the stage table. force: run the target itself, and what are steps of it, even if nothing changed.
        alone: leave what the target depends on as it is.
        patience: seconds to wait for another build in the same work folder.

    Raises:
        TillwiseError: what a stage raised, a full disk, or another build in the same work folder.
        KeyboardInterrupt: after all processes have ended and nothing half-written is left.
    """
    with under_way(settings, target, display, stages=stages, force=force, alone=alone, patience=patience) as work:
        return _do_all(work)


def _do_all(work: Work) -> list[Outcome]:
    """Do each step as soon as those that it rests on are done; return the outcomes in the order of the steps."""
    outcomes: dict[str, Outcome] = {}
    running: dict[Future[Outcome], Step] = {}
    waiting = list(work.steps)
    # No `with` block: leaving it would wait for stages that only `Work.halt`, further out, ends.
    pool = ThreadPoolExecutor(max_workers=max(1, len(waiting)), thread_name_prefix="stage")
    try:
        while waiting or running:
            open_names = {step.stage.name for step in waiting} | {step.stage.name for step in running.values()}
            for step in [step for step in waiting if open_names.isdisjoint(step.stage.upstream)]:
                waiting.remove(step)
                known = work.begin(step)
                if known is not None:
                    outcomes[step.stage.name] = known
                else:
                    running[pool.submit(work.finish, step)] = step
            done = wait(running, return_when=FIRST_COMPLETED).done if running else set()
            for future in done:
                outcomes[running.pop(future).stage.name] = future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return [outcomes[step.stage.name] for step in work.steps]


def run_alone(
    settings: Settings,
    name: str,
    display: Display,
    arguments: Mapping[str, Any],
    stages: Sequence[Stage] = STAGES,
    *,
    patience: float | None = None,
) -> Outcome:
    """Run one stage with arguments of its own, whatever else is out of date; what is recorded of it stays.

    A stage with a lock of its own runs beside a build.

    Args and Raises: as in `build`; `arguments` are handed to the stage's function, JSON-serialisable; `patience` is
    that for the stage's own lock if it has one, `LOCK_SECONDS` if not given.
    """
    stage = stages_up_to(name, stages)[-1]
    kept_apart = contextlib.nullcontext() if stage.lock else _only_build(settings, patience or 0.0)
    with kept_apart, display.build({stage: stage.seconds}):
        display.started(stage)
        try:
            waits = LOCK_SECONDS if patience is None else patience
            return Outcome(_run(stage, None, settings, display, arguments, patience=waits), ran=True)
        except BaseException:
            if not stage.lock:  # else they may be those of a build
                remove_partials(settings.work)
            raise


def _only_build(settings: Settings, patience: float) -> contextlib.AbstractContextManager[None]:
    return exclusive(settings.work.run / "build.lock", what="A build", patience=patience)


def _stage_lock(stage: Stage, settings: Settings, patience: float) -> contextlib.AbstractContextManager[None]:
    if stage.lock is None:
        return contextlib.nullcontext()
    what = f"What decides about {stage.lock}"
    return exclusive(settings.work.run / f"{stage.lock}.lock", what=what, patience=patience)


def _run(
    stage: Stage,
    fingerprint: str | None,
    settings: Settings,
    display: Display,
    arguments: Mapping[str, Any],
    halt: threading.Event | None = None,
    patience: float = LOCK_SECONDS,
) -> StageRecord:
    try:
        with _stage_lock(stage, settings, patience):
            run = run_stage(stage, settings, partial(display.progressed, stage), arguments, halt)
    except OSError as error:
        if means_disk_full(error):
            raise disk_full_error(settings.work.root, f"stage {stage.name} ran") from error
        raise
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = StageRecord(fingerprint, run.report, round(run.seconds, 2), round(run.peak_mb, 1), now)
    display.finished(stage, record)
    return record


def remove_partials(work: WorkFolder) -> None:
    """Remove what a killed stage was writing; finished results stay."""
    for folder in (work.root, work.data, work.features, work.training, work.model, work.registry, work.reports):
        for unfinished in folder.glob(".*.partial"):
            if unfinished.is_dir():
                shutil.rmtree(unfinished, ignore_errors=True)
            else:
                unfinished.unlink(missing_ok=True)


def _is_fresh(stage: Stage, fingerprint: str, record: StageRecord | None, settings: Settings) -> bool:
    if record is None or record.fingerprint != fingerprint:
        return False
    if not all((settings.work.root / output).exists() for output in stage.outputs):
        return False
    return stage.intact is None or bool(load_function(stage.intact)(settings))
