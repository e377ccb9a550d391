"""Stages as Prefect tasks: the build decides what runs, Prefect when, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, TypeVar

from prefect import Task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture, as_completed
from prefect.tasks import exponential_backoff

from configs import Settings
from configs.errors import BusyError, PartError
from pipelines import stages as table
from pipelines.build import Outcome, Step, Work, run_alone, under_way
from pipelines.display import Display

Result = TypeVar("Result")
RETRY_HELPS = (BusyError, PartError)
"""What passes by itself. Wrong settings, bad data and a gate's refusal do not, nor does too little memory."""


def bring_up_to_date(target: str, settings: Settings, display: Display, *, force: bool = False) -> None:
    """Bring a stage and all it rests on up to date, each stage a task, those that can beside each other.

    Finished stages are kept and reused, so that a run after a crash goes on where the other one ended.

    Args:
        target: name of the last stage. settings: of this run. display: who is told.
        force: run the target even if nothing changed.

    Raises:
        TillwiseError: what a stage raised after the last try, or another build that took longer than
            `flows.wait_seconds`.
    """
    with ExitStack() as held:

        def start() -> Work:
            opened = under_way(
                settings, target, display, stages=table.STAGES, force=force, patience=settings.flows.wait_seconds
            )
            return held.enter_context(opened)

        work = _task(start, "plan", "take the lock of the build and find out what is out of date", settings)()
        futures: dict[str, PrefectFuture[Outcome]] = {}
        for step in work.steps:
            rests_on = [futures[name] for name in step.stage.upstream if name in futures]
            stage_task = _task(partial(_do, work, step), step.stage.name, step.stage.does, settings)
            futures[step.stage.name] = stage_task.submit(wait_for=rests_on, return_state=False)
        for future in as_completed(list(futures.values())):
            future.result()  # the first error ends what runs beside it


def _do(work: Work, step: Step) -> Outcome:
    return work.begin(step) or work.finish(step)


def run_on_demand(name: str, settings: Settings, display: Display, arguments: Mapping[str, Any]) -> Outcome:
    """Run one stage of `ON_DEMAND` as a task, with arguments of its own; return what it did.

    Raises:
        TillwiseError: what it raised after the last try.
    """
    stage = table.stages_up_to(name, table.ON_DEMAND)[-1]

    def do() -> Outcome:
        return run_alone(settings, name, display, arguments, table.ON_DEMAND)

    return _task(do, name, stage.does, settings)()


def _task(function: Callable[[], Result], name: str, does: str, settings: Settings) -> Task[[], Result]:
    return Task(
        function,
        name=name,
        description=does,
        retries=settings.flows.retries,
        retry_delay_seconds=exponential_backoff(settings.flows.retry_seconds),
        retry_condition_fn=_retry_helps,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def _retry_helps(_: Any, __: Any, state: Any) -> bool:
    try:
        state.result()
    except RETRY_HELPS:
        return True
    except Exception:
        return False
    return False
