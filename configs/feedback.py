"""Settings of learning from what was shown and what came of it."""

from __future__ import annotations

from pydantic import Field

from configs.section import Section


class ExaminationSettings(Section):
    """How likely a place of an answer is looked at, by which what was taken there is corrected."""

    power: float = Field(
        ge=0,
        le=3,
        description="where too little is known, place k (from 1) is taken to be looked at with k^-power of the first "
        "place's chance. 0.5: a checkout block is short, so less steep than the 1 of pages of search results",
    )
    spread: float = Field(
        gt=0,
        le=10,
        description="how far, in logarithms, an estimate may lie from that curve without much evidence: the standard "
        "deviation of a prior. 0.7 is about a factor of 2",
    )
    least_outcomes: int = Field(
        ge=1,
        description="products taken, of everything that was shown, below which the curve is not estimated at all, as "
        "its error would be as large as what it corrects; `python -m benchmarks.feedback` shows the error",
    )


class FeedbackSettings(Section):
    """What `train` learns from exposures beside baskets: `training/feedback` tells how."""

    enabled: bool = Field(description="whether to; without anything recorded the model is the same either way")
    rehearsals: bool = Field(
        description="also beside a historical data set, where shoppers are simulated: for drills. Everything up to now "
        "is then read, as a rehearsal's days are over in minutes"
    )
    weight: float = Field(
        gt=0,
        le=100,
        description="weight of one taken product of an answer, on average, where one hidden product set of a basket "
        "has 1. It is what this page's shoppers really did, but among some ten products instead of hundreds",
    )
    days: float = Field(
        gt=0,
        description="how far back from the model's cutoff exposures count: a season, as tastes and the shop move on",
    )
    most_exposures: int = Field(ge=1, description="of more the newest are learned from, so that memory stays bounded")
    least_draws: int = Field(
        ge=1, description="with fewer taken products nothing is learned from any: it would be noise beside the baskets"
    )
    clip: float = Field(
        ge=1,
        description="largest factor by which a rarely seen product counts for those not seen: a few lucky ones must "
        "not decide (variance against bias)",
    )
    order_worth: float = Field(ge=0, le=1, description="what an order counts: it is what is wanted, so 1")
    add_worth: float = Field(
        ge=0, le=1, description="what an add counts that no order came of: wanted, but not paid for"
    )
    click_worth: float = Field(
        ge=0, le=1, description="what a click counts that nothing came of: curiosity, so little; 0: nothing"
    )
    most_outside: float = Field(
        ge=0,
        lt=1,
        description="share of a feature's values that may lie far outside of what baskets show (farther than their "
        "whole range again); a model whose exposures "
        "have more of it saw another world (a broken pipeline, another encoder), and none of them is learned from",
    )
    examination: ExaminationSettings
