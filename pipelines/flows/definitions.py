"""The five flows. Their parameters and docstrings are what Prefect's UI shows."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

from prefect import State, flow, get_run_logger
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed

from configs import Settings, load_settings
from configs.errors import TillwiseError
from pipelines.cli.dates import with_windows
from pipelines.flows.report import FlowDisplay, reported
from pipelines.flows.stage_tasks import bring_up_to_date, run_on_demand
from pipelines.stages import BUILD
from training.wanted import Wanted, clear_wanted, retrain_wanted

DEPLOYMENT = "tillwise"
"""What each flow's deployment is called: Prefect names it `retrain/tillwise`."""
REFUSED = "Refused"
"""Name of the state of a retraining whose model the gate refused."""
LOOKS = ("monitor", "release")


@flow(name="ingest")
def ingest(until: date | None = None, *, force: bool = False) -> None:
    """Read the shop's tables and the live orders, check them, and write clean tables.

    Args:
        until: build as if this day were today; orders from its midnight on (shop's time zone) are left out.
        force: read them again even if nothing changed.
    """
    settings = load_settings(**with_windows(until))
    with reported("ingest", settings) as display:
        bring_up_to_date("ingest", settings, display, force=force)


@flow(name="materialize")
def materialize(until: date | None = None, *, force: bool = False) -> None:
    """Bring the features up to date and write the newest to Redis, where the service reads them.

    Args:
        until: build as if this day were today.
        force: write them again even if Redis holds them already.
    """
    settings = load_settings(**with_windows(until))
    with reported("materialize", settings) as display:
        bring_up_to_date("materialize", settings, display, force=force)


@flow(name="retrain")
def retrain(until: date | None = None, *, force: bool = False) -> State[Any]:
    """Train on everything that is known by now, evaluate, register, and let the gate decide about promotion.

    A refusal is a result: the run is completed, named Refused, and the present champion serves on. What an earlier run
    that crashed had finished is not done again.

    Args:
        until: build as if this day were today; orders from its midnight on (shop's time zone) are left out.
        force: ask the gate again even if nothing changed since it decided.
    """
    settings = load_settings(**with_windows(until))
    wish = retrain_wanted(settings.work)
    with reported("retrain", settings) as display:
        bring_up_to_date(BUILD, settings, display, force=force)
    if wish is not None:
        clear_wanted(settings.work, wish)
    if display.refusal is not None:
        return Completed(name=REFUSED, message=display.refusal)
    return Completed(message="the newest version is champion")


@flow(name="monitor")
def monitor() -> None:
    """Look once at drift, KPIs and the running release, act on it, and start `retrain` if that is wanted."""
    settings, errors = load_settings(), []
    with reported("monitor", settings) as display:
        for name in LOOKS:
            errors += _looked(name, settings, display)
        wish = retrain_wanted(settings.work)
        if wish is not None:
            _start_retraining(settings, wish)
        if errors:
            raise errors[0]


@flow(name="compact")
def compact() -> None:
    """Make one file of each closed day of the event log."""
    settings = load_settings()
    with reported("compact", settings) as display:
        run_on_demand("compact", settings, display, {})


def _looked(name: str, settings: Settings, display: FlowDisplay) -> list[TillwiseError]:
    """Run one look; return its error, if any, for later: the next look is as important."""
    try:
        run_on_demand(name, settings, display, {})
    except TillwiseError as error:
        return [error]
    return []


def _start_retraining(settings: Settings, wish: Wanted) -> None:
    """Start the deployment of `retrain`, without waiting for it; where there is none, retrain here and now."""
    span = int(time.time() // (settings.flows.wanted_again_minutes * 60))
    get_run_logger().info(f"A retraining is wanted since {wish.at}: {wish.why}")
    try:
        # The key makes Prefect start it once in that time, however often the monitor looks.
        run_deployment(f"retrain/{DEPLOYMENT}", timeout=0, idempotency_key=f"{wish.at}/{span}", as_subflow=False)
    except ObjectNotFound:
        retrain()
