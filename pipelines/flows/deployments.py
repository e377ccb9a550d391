"""The flows with their schedules, as Prefect wants them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect import Flow
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron, Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from configs import Settings
from configs.errors import ConfigError
from pipelines.flows import FLOWS, definitions

WAITS = {"retrain"}
"""Flows of which a second run waits for the first; of the others it is dropped, since the next one does the same."""


async def deployments(settings: Settings) -> list[RunnerDeployment]:
    """Return one deployment of each flow, one run of each at a time.

    Raises:
        ConfigError: a cadence is neither seconds nor a cron expression.
    """
    return [await _deployment(name, settings) for name in FLOWS]


def flow_named(name: str) -> Flow[..., Any]:
    """Return a flow.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in FLOWS:
        raise ConfigError(f"There is no flow {name!r}; the flows are {', '.join(FLOWS)}.")
    found: Flow[..., Any] = getattr(definitions, name)
    return found


def schedule_of(name: str, cadence: float | str | None) -> Schedule | None:
    """Return the schedule that a cadence means; None: no schedule.

    Raises:
        ConfigError: it means none.
    """
    try:
        if isinstance(cadence, str):
            return Cron(cadence, timezone="UTC")
        return None if cadence is None else Interval(timedelta(seconds=cadence))
    except ValueError as error:
        raise ConfigError(
            f"flows.cadence.{name} is {cadence!r} ({' '.join(str(error).split())[:200]}): expected seconds above 0, a "
            "cron expression such as '5 * * * *', or null."
        ) from None


async def _deployment(name: str, settings: Settings) -> RunnerDeployment:
    strategy = ConcurrencyLimitStrategy.ENQUEUE if name in WAITS else ConcurrencyLimitStrategy.CANCEL_NEW
    schedule = schedule_of(name, getattr(settings.flows.cadence, name))
    return await flow_named(name).ato_deployment(
        definitions.DEPLOYMENT,
        schedule=schedule,
        paused=False,
        concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=strategy),
        tags=["tillwise"],
        entrypoint_type=EntrypointType.MODULE_PATH,
    )
