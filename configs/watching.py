"""Settings of the monitor: when the live model is so bad that it goes, and when inputs so changed that it learns."""

from __future__ import annotations

from pydantic import Field

from configs.section import Section


class Tolerance(Section):
    """How much worse than the reference a figure may be, for good, before the model goes.

    Below these a change is not worth a rollback, and above them it is found the sooner the larger it is.
    `python -m benchmarks.detection` prints how soon.
    """

    attach_rate: float = Field(
        ge=0, lt=1, description="share of the attach rate; more than a shop's own swing over days and hours"
    )
    click_rate: float = Field(ge=0, lt=1, description="share of the click rate; the same")
    coverage: float = Field(
        ge=0, lt=1, description="share of the distinct products among those shown; seasons narrow it a little"
    )
    affinity: float = Field(
        ge=0,
        lt=0.5,
        description="by how much the chance that an answer's scores are above the reference's may fall below one half; "
        "0.15 is a shift by about half a standard deviation",
    )
    latency: float = Field(
        ge=0, description="share above the reference's 99th percentile that an answer may take; machines are shared"
    )
    slow_share: float = Field(
        gt=0, lt=1, description="share of answers that may take longer than that; 1 % do by themselves, bursts add some"
    )
    fallback_share: float = Field(
        gt=0, lt=1, description="added to the share of answers that the model fails at; a bug fails nearly all"
    )


class DriftSettings(Section):
    """Comparing the features and scores of what is shown with those of the time when the model was new."""

    people: int = Field(
        ge=100, description="newest people that a look rests on, one answer each; also of the reference"
    )
    large: int = Field(
        ge=100,
        description="from so many on, on both sides, a column's distance counts, not its p-value: with many people the "
        "slightest difference is significant",
    )
    distance: float = Field(
        gt=0, description="Wasserstein distance in standard deviations from which a column has drifted; Evidently's 0.1"
    )
    alpha: float = Field(
        gt=0,
        lt=0.5,
        description="for smaller samples: level of the Kolmogorov-Smirnov test, shared out among all columns",
    )
    share: float = Field(
        gt=0,
        le=1,
        description="of the columns that must have drifted; a few always do, as assortments and seasons move",
    )
    times: int = Field(
        ge=1, description="looks in a row, each on people who came since the one before, that must find drift"
    )
    quality: float = Field(
        gt=0, le=1, description="share of a column's values missing, or outside the reference's range, that is told"
    )
    again_hours: float = Field(
        ge=0, description="how long no further retraining is asked for; a retrain should have had its chance"
    )
    shown: int = Field(ge=1, description="columns that a report draws, those that moved most; all take a minute")
    keep: int = Field(ge=1, description="reports kept, of some 4 MB each; the oldest go first")


class WatchSettings(Section):
    """One look at the live model, `tillwise monitor`."""

    ranking_arm: str = Field(
        min_length=1, description="the way to rank that is judged; experiments with others judge themselves"
    )
    false_alarm_answers: float = Field(
        ge=1_000,
        description="answers between two false rollbacks, at least and on average, of all figures together, however "
        "often one looks: ten million are months of a busy shop, and ten times as many make detection 15 % slower",
    )
    reference_people: int = Field(
        ge=50, description="newest people of the last good champion that the present one is held against"
    )
    first_people: int = Field(
        ge=50, description="a champion's own first people, whom it is held against where there was none before"
    )
    least_people: int = Field(ge=10, description="with fewer people a reference tells nothing, and nobody is judged")
    reference_alpha: float = Field(
        gt=0, lt=0.5, description="how often chance may have made a reference look better than it was"
    )
    maturity_minutes: float = Field(
        gt=0,
        description="clicks, adds and orders count so long after an answer, which is old enough to be judged then; "
        "shorter than monitoring.attribution_minutes, since most come within minutes and a bad model should not "
        "serve for an hour; the reference is counted the same way",
    )
    settle_seconds: float = Field(ge=0, description="what else an answer tells counts so long after it, once recorded")
    least_seconds: float = Field(
        ge=0, description="how long a breach must have lasted; a machine that stalls for half a minute is no bad model"
    )
    block: int = Field(ge=10, description="answers that are folded in together; a person counts once in each")
    run: int = Field(
        ge=2,
        description="answers that count as one for latency, fallbacks and coverage: trouble comes in bursts, and one "
        "is no independent news",
    )
    cool_down_minutes: float = Field(
        ge=0,
        description="after a rollback by the monitor there is no other: if two models look bad, it is not the model",
    )
    replicas_seconds: float = Field(
        gt=0, description="how long a rollback waits to see all workers of the service swap"
    )
    tolerance: Tolerance
    drift: DriftSettings
