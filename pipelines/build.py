"""Content-addressed build: runs exactly the stages whose inputs, settings, code or outputs changed, in order.

Every command that builds goes through `build`; the stages themselves know nothing of it.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from configs import Settings
from configs.home import WorkFolder
from configs.lock import exclusive
from pipelines.disk import disk_full_error, means_disk_full, require_room
from pipelines.display import Display
from pipelines.fingerprint import fingerprints
from pipelines.loading import load_function
from pipelines.records import StageRecord, read_record, void_record, write_record
from pipelines.stage_runner import run_stage
from pipelines.stages import STAGES, Stage, stages_up_to


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


def build(
    settings: Settings,
    target: str,
    display: Display,
    *,
    stages: Sequence[Stage] = STAGES,
    force: bool = False,
    alone: bool = False,
) -> list[Outcome]:
    """Bring `target` and everything it depends on up to date; return what was done about each stage, in order.

    Args:
        settings: of this run. target: name of the last stage. display: who is told.
        stages: the stage table. force: run the target itself, and what are steps of it, even if nothing changed.
        alone: leave what the target depends on as it is.

    Raises:
        TillwiseError: what a stage raised, a full disk, or another build in the same work folder.
        KeyboardInterrupt: after all processes have ended and nothing half-written is left.
    """
    with _only_build(settings):
        steps = plan(settings, target, stages, force=force)
        if alone:
            steps = [step for step in steps if step.stage.name == target]
        stale = [step for step in steps if not step.fresh]
        if stale:
            require_room(settings)
        with display.build({step.stage.name: step.expected_seconds for step in stale}):
            return [_bring_up_to_date(step, settings, display) for step in steps]


def run_alone(
    settings: Settings, name: str, display: Display, arguments: Mapping[str, Any], stages: Sequence[Stage] = STAGES
) -> Outcome:
    """Run one stage with arguments of its own, whatever else is out of date; what is recorded of it stays.

    Args and Raises: as in `build`; `arguments` are handed to the stage's function, JSON-serialisable.
    """
    stage = stages_up_to(name, stages)[-1]
    with _only_build(settings), display.build({name: stage.seconds}):
        return Outcome(_run(stage, None, settings, display, arguments), ran=True)


def _only_build(settings: Settings) -> contextlib.AbstractContextManager[None]:
    return exclusive(settings.work.run / "build.lock", what="A build")


def _bring_up_to_date(step: Step, settings: Settings, display: Display) -> Outcome:
    if step.fresh and step.record is not None:
        display.reused(step.stage, step.record)
        return Outcome(step.record, ran=False)
    void_record(settings.work, step.stage.name)
    record = _run(step.stage, step.fingerprint, settings, display, {})
    write_record(settings.work, record)
    return Outcome(record, ran=True)


def _run(
    stage: Stage, fingerprint: str | None, settings: Settings, display: Display, arguments: Mapping[str, Any]
) -> StageRecord:
    display.started(stage)
    try:
        run = run_stage(stage, settings, display.progressed, arguments)
    except BaseException as error:
        remove_partials(settings.work)
        if isinstance(error, OSError) and means_disk_full(error):
            raise disk_full_error(settings.work.root, f"stage {stage.name} ran") from error
        raise
    now = datetime.now(UTC).isoformat(timespec="seconds")
    record = StageRecord(fingerprint, run.report, round(run.seconds, 2), round(run.peak_mb, 1), now)
    display.finished(stage, record)
    return record


def remove_partials(work: WorkFolder) -> None:
    """Remove what a killed stage was writing; finished results stay."""
    for folder in (work.root, work.data, work.features, work.training, work.model, work.registry, work.reports):
        for partial in folder.glob(".*.partial"):
            if partial.is_dir():
                shutil.rmtree(partial, ignore_errors=True)
            else:
                partial.unlink(missing_ok=True)


def _is_fresh(stage: Stage, fingerprint: str, record: StageRecord | None, settings: Settings) -> bool:
    if record is None or record.fingerprint != fingerprint:
        return False
    if not all((settings.work.root / output).exists() for output in stage.outputs):
        return False
    return stage.intact is None or bool(load_function(stage.intact)(settings))
