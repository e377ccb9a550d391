"""Settings of the flows: when each runs, and what is tried again."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from configs.section import Section


def _seconds_if_a_number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


Cadence = Annotated[float | str | None, BeforeValidator(_seconds_if_a_number)]
"""Seconds between two starts, or a cron expression (UTC), or null: it runs only when somebody asks for it."""


class CadenceSettings(Section):
    """When each flow starts by itself.

    The minutes are such that hourly flows do not start together, and that `materialize` finds what `ingest` read.
    """

    ingest: Cadence = Field(
        description="hourly: an order counts in the shopper's live profile at once, the tables are for all else"
    )
    materialize: Cadence = Field(description="hourly, after `ingest`: what it read reaches the request path")
    retrain: Cadence = Field(
        description="weekly, in the quiet hours after the week's end: baskets follow the week, and a week of a shop "
        "brings enough new ones to tell whether a model is better"
    )
    monitor: Cadence = Field(description="every 15 minutes: a bad model is noticed within one, and a look is cheap")
    compact: Cadence = Field(description="daily, once the day before is closed: its files then become one")


class FlowSettings(Section):
    """The flows and the Prefect server that `tillwise flows serve` runs for them."""

    port: int = Field(ge=1, le=65535, description="port of Prefect's server and UI on 127.0.0.1")
    cadence: CadenceSettings
    wait_seconds: float = Field(
        ge=0, description="a flow waits so long for another build in the work folder: longer than a whole retraining"
    )
    retries: int = Field(
        ge=0, description="a stage is tried so often again if something was locked or away, and after nothing else"
    )
    retry_seconds: float = Field(
        gt=0, description="pause before the first retry, doubled for each further one: a restart takes some 10 s"
    )
    wanted_again_minutes: float = Field(
        gt=0, description="a retraining that the monitor wants is started at most so often, should it keep failing"
    )
