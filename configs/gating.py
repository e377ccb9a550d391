"""Settings of the promotion gate: what a version has to show before an alias is moved to it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.section import Section


class GateSettings(Section):
    """What is demanded of a version, and how sure the gate has to be. The reason of each value stands beside it."""

    metric: Literal["hit_rate", "ndcg"] = Field(
        description="what both models are compared in, one product of each basket hidden; hit_rate is what the shop "
        "sees: whether the product is among those shown"
    )
    alpha: float = Field(
        gt=0, lt=0.5, description="how often chance alone may call a model better, not worse, or a slice worse"
    )
    worse_share: float = Field(
        ge=0,
        lt=1,
        description="a cheaper model may lose this share of the champion's figure; 0.02 is about half the width of the "
        "interval that a month of the bundled data tells the figure with",
    )
    cheaper_ratio: float = Field(
        gt=0,
        description="cheaper: the median of its ranking time is at most this share of the champion's; timings of equal "
        "models differ by a few percent, so a tenth is a difference. Well above 1: not worse is good enough",
    )
    most_cases: int = Field(
        ge=100,
        description="held-out baskets that both models rank, chosen by chance if there are more: it bounds the time, "
        "and twice as many make the interval of the difference a third narrower",
    )
    samples: int = Field(
        ge=200, description="resamples of shoppers; 2000 tell a probability of 5 % to within half a percent"
    )
    slices: tuple[str, ...] = Field(
        description="groups of cases that must not lose: GROUPING=LABEL, or GROUPING for each of its groups, as in "
        "evaluation.json; an overall gain must not be paid for by new shoppers or small carts"
    )
    slice_cases: int = Field(
        ge=10, description="a group with fewer cases says nothing: its interval would be wider than what it found"
    )
    slice_worse_share: float = Field(
        ge=0, lt=1, description="share of the champion's figure that a group may lose; groups vary more than the whole"
    )
    price_factor: float = Field(
        gt=1,
        description="a product's price has moved if it is more than so many times what the champion shows, or what was "
        "paid of late, or less than that part of it; offers that halve a price are honest",
    )
    price_share: float = Field(
        ge=0, lt=1, description="share of products that may have moved: some are repriced, or sold in another pack size"
    )
    price_median_factor: float = Field(
        gt=1,
        description="how far the median of all products may be off: prices rise by a few percent a year, while "
        "currencies differ by more",
    )
    price_products: int = Field(
        ge=2, description="a category with so many priced products must not have moved as a whole; of fewer some may"
    )
    rank_p99_ms: float = Field(
        gt=0,
        description="budget of ranking one request, 99th percentile; monitoring.guardrails.latency_p99_ms is for the "
        "whole answer, of which ranking is the most",
    )
    timed_requests: int = Field(ge=20, description="requests that are timed: as many as a 99th percentile needs")
    timed_repeats: int = Field(
        ge=1, description="times each is asked; its fastest answer counts, since a busy machine can only add to it"
    )
    memory_mb: float = Field(
        gt=0, description="budget in MiB of a process that loads the package and ranks: as much as a replica is given"
    )
    trial_sessions: int = Field(
        ge=10, description="held-out baskets that the trial plays through a service of its own: enough for a p99"
    )
    trial_p99_ms: float = Field(
        gt=0,
        description="99th percentile of the trial's answers as its client sees them; serving.deadline_ms, since what "
        "takes longer is answered without the model",
    )
    trial_fallback_share: float = Field(
        ge=0, le=1, description="share of the trial's answers that may be degraded, as monitoring.guardrails has it"
    )
