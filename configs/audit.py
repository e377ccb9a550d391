"""Settings of the bias audit: whom and what it tells apart, and how unequal a model may be that passes it.

Every limit is one that a group falls short of only if chance is no good explanation (`alpha`, over everything that is
judged together), so that a small group does not fail by bad luck, and a large one not by a hair.
"""

from __future__ import annotations

from pydantic import Field

from configs.section import Section


class AuditLimits(Section):
    """How unequal groups may be."""

    max_quality_gap: float = Field(
        ge=0, le=1, description="how far a group's hit rate and NDCG may lie below those of everybody, as a share"
    )
    min_exposure_ratio: float = Field(
        ge=0,
        le=1,
        description="least exposure of a group. Shoppers: places of their lists that are filled, over everybody's. "
        "Products: their share of shown places over their share of what is taken",
    )


class AuditSettings(Section):
    """The bias audit of `tillwise evaluate`.

    The limits' reasons. Shoppers: four fifths is what US law takes as the line to adverse impact (Uniform Guidelines
    on Employee Selection Procedures, 1978, 29 CFR 1607.4 D), and no shopper's group has a fair reason to be served
    worse. Products: half. What everybody buys again every week is easier to find than what is bought once, so that
    equal quality is not to be had; below half, a model practically deals in the other products only. Products never
    sold before: of them nothing but category and brand is known, quality cannot be demanded, and a place for one is
    mostly a place lost; but what is never shown is never sold, so they keep a way in. With one in thirty taken, 0.03
    is a thousandth of the places: a product of this kind in one of a hundred lists of ten.
    """

    demographics: tuple[str, ...] | None = Field(
        description="columns of the table `shoppers` that groups are made of; null: all that the data set has"
    )
    price_tiers: int = Field(
        ge=2, le=10, description="groups of products by price, each with as many order lines before the cutoff"
    )
    new_days: float = Field(
        gt=0,
        description="products first sold at most so long before the cutoff are new; two of the half-lives after which "
        "popularity fades, so that older ones have had their time to become known",
    )
    min_shoppers: int = Field(
        ge=2, description="groups with cases of fewer shoppers are told, not judged: resampling needs about 30"
    )
    alpha: float = Field(
        gt=0, lt=1, description="how often a model without any fault may fail, all judgements together"
    )
    shoppers: AuditLimits = Field(description="limits for demographic groups")
    products: AuditLimits = Field(description="limits for groups of products that were sold before")
    min_unsold_exposure_ratio: float = Field(ge=0, le=1, description="least exposure of products never sold before")
