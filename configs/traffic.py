"""Settings of simulated shoppers: how many come, and how they behave. Nothing here is measured on people."""

from __future__ import annotations

from pydantic import Field

from configs.section import Section


class BehaviourSettings(Section):
    """How a simulated shopper reads a block of recommendations.

    The looking is the cascade model of Craswell et al. 2008 (WSDM): from the top, with less and less patience. The
    figures are round ones, chosen so that rates come out where shops report them (some per cent of products shown are
    clicked) and so that good and bad lists differ; they are no estimates.
    """

    patience: float = Field(ge=0, le=1, description="chance of going on to the next place after each one looked at")
    take: float = Field(
        ge=0, le=1, description="chance that what the real shopper bought is clicked and added once it is looked at"
    )
    curiosity: float = Field(
        ge=0, le=1, description="chance that anything looked at is clicked and left: clicks without any merit"
    )
    impulse: float = Field(
        ge=0,
        le=1,
        description="chance that the best-selling product is added although the real shopper did not buy it; of others "
        "less, as they sell less. KPIs have noise, and popular products some merit of their own",
    )
    dear: float = Field(
        gt=1,
        description="a shown price above so many times what people paid puts off: not added. 3: sizes and promotions "
        "move prices by less, mistakes by more",
    )


class TrafficSettings(Section):
    """Simulated shoppers, who drive the running service as a shop would."""

    sessions: int = Field(ge=1, description="how many shoppers come")
    rate: float = Field(gt=0, description="of them a second; fewer come while `concurrency` are busy")
    concurrency: int = Field(ge=1, description="shoppers in the shop at a time")
    think_seconds: float = Field(
        ge=0,
        description="between seeing recommendations and ordering. Above 0, since the clocks of several workers differ "
        "a little, and what seems to come before its answer counts for nothing",
    )
    k: int = Field(ge=1, description="products asked for; as on the demo checkout page")
    seed: int = Field(description="of baskets and behaviour; the service's answers may differ from run to run")
    behaviour: BehaviourSettings
