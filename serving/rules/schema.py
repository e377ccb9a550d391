"""What may stand in a rules file. `configs/rules/default.yaml` shows every part with an example."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from configs.dataset import Zone
from configs.section import Section

Names = tuple[Annotated[str, Field(min_length=1)], ...]
Money = Annotated[float, Field(ge=0, le=1e9)]
LogOdds = Annotated[float, Field(ge=-20, le=20)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Step = Annotated[int, Field(ge=0, le=100)]
Day = Annotated[date, Field(ge=date(1970, 1, 1), le=date(2999, 12, 31))]


class Select(Section):
    """Products: those of any of the ids, categories or brands named."""

    products: Names = Field(default=(), description="product ids")
    categories: Names = Field(
        default=(), description="category paths, with all below them: 'Drinks > Beer' selects 'Drinks > Beer > Ale' too"
    )
    brands: Names = Field(default=(), description="brands; upper and lower case do not matter, nor in categories")

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not (self.products or self.categories or self.brands):
            raise ValueError("selects nothing; expected products, categories or brands with at least one name")
        return self


class When(Section):
    """When a rule holds: every condition given must. What is not known of a request meets no condition."""

    first_day: Day | None = Field(default=None, description="first day, in the file's time zone")
    last_day: Day | None = Field(default=None, description="last day, included")
    steps: tuple[Step, ...] = Field(default=(), description="checkout steps")
    countries: Names = Field(default=(), description="as requests tell them; upper and lower case do not matter")
    cart_holds: Select | None = Field(default=None, description="any of these is in the cart")
    cart_value_at_least: Money | None = None
    cart_value_at_most: Money | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise ValueError(f"first_day {self.first_day} is after last_day {self.last_day}")
        low, high = self.cart_value_at_least, self.cart_value_at_most
        if low is not None and high is not None and low > high:
            raise ValueError(f"cart_value_at_least {low} is above cart_value_at_most {high}")
        return self


ALWAYS = When()


class Rule(Section):
    """A rule with a condition."""

    when: When = Field(default=ALWAYS, description="always, if not given")


class Blocked(Rule):
    """Products that are not recommended."""

    select: Select


class Restricted(Section):
    """Products that not everybody may buy: excluded unless the request shows that this shopper may."""

    select: Select
    minimum_age: int | None = Field(default=None, ge=0, le=150, description="in years; an unknown age is too young")
    countries: Names = Field(default=(), description="only there; an unknown country is not there")
    not_in_countries: Names = Field(default=(), description="not there; an unknown country may be there")

    @model_validator(mode="after")
    def _restricts(self) -> Self:
        if self.minimum_age is None and not (self.countries or self.not_in_countries):
            raise ValueError("restricts nothing; expected minimum_age, countries or not_in_countries")
        return self


class Interval(Section):
    """How often shoppers usually buy from a category again."""

    category: str = Field(min_length=1, description="path, with all below it; the longest path counts")
    days: float = Field(gt=0, le=3650)


class RecentlyBought(Section):
    """Products that the shopper has bought too short a while ago."""

    share: float = Field(
        default=0.0, ge=0, le=10, description="of the usual interval that must have passed; 0: none has to"
    )
    days: float = Field(default=14.0, gt=0, le=3650, description="usual interval of all other categories")
    intervals: tuple[Interval, ...] = ()


class PriceBand(Rule):
    """What a product may cost, as a multiple of something of the cart; no limit while that is not known."""

    select: Select | None = Field(default=None, description="products it holds for; all if not given")
    of: Literal["dearest_line", "cart_value"] = Field(
        description="the highest price per unit in the cart, or what the whole cart costs"
    )
    at_least: float | None = Field(default=None, ge=0, le=1e6)
    at_most: float | None = Field(default=None, ge=0, le=1e6)

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("limits nothing; expected at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}")
        return self


class Group(Section):
    """A cap of its own for some products."""

    select: Select
    at_most: Limit


class Caps(Section):
    """How many items of one answer may be alike; null: any number."""

    category: Limit | None = Field(default=None, description="of one leaf category")
    department: Limit | None = Field(default=None, description="of one first level of the category path")
    brand: Limit | None = Field(default=None, description="of one brand; products without one are not counted")
    groups: tuple[Group, ...] = ()


class Boost(Rule):
    """Products whose odds are changed: a promotion, with its first and last day under `when`."""

    select: Select
    log_odds: LogOdds = Field(description="added; 0.7 about doubles the odds, below 0 they fall")


class Boosts(Section):
    """What is added to the models' log-odds. Scores that are no log-odds are multiplied by exp(the sum) instead."""

    margin: LogOdds = Field(
        default=0.0, description="for a product whose whole price is margin, others in proportion; 0 where none is told"
    )
    promotions: tuple[Boost, ...] = ()


class Pinned(Rule):
    """A product at a fixed place, unless something excludes it or a cap is reached."""

    product: str = Field(min_length=1, description="product id")
    position: int = Field(ge=1, le=1000, description="1 is the first; of two that hold for one place the first counts")


class Placement(Rule):
    """What is shown where `when` holds, mostly steps of the checkout."""

    only: Select | None = Field(default=None, description="nothing else is shown")
    price_at_most: Money | None = Field(default=None, description="a product without known price is not shown")
    at_most: Annotated[int, Field(ge=0, le=1000)] | None = Field(default=None, description="items")

    @model_validator(mode="after")
    def _asks(self) -> Self:
        if self.only is None and self.price_at_most is None and self.at_most is None:
            raise ValueError("asks for nothing; expected only, price_at_most or at_most")
        return self


class Diversity(Section):
    """Maximal marginal relevance (Carbonell and Goldstein 1998, SIGIR) over the best of the list."""

    # `lambda` is a keyword of Python.
    weight: float = Field(
        default=1.0, alias="lambda", ge=0, le=1, description="1: by score alone; 0: by being unlike the others alone"
    )
    best: int = Field(default=50, ge=2, le=400, description="so many of the best are chosen among")


class Rules(Section):
    """A rules file."""

    timezone: Zone = Field(default="UTC", description="IANA zone in which days begin and end")
    blocked: tuple[Blocked, ...] = ()
    restricted: tuple[Restricted, ...] = ()
    recently_bought: RecentlyBought = RecentlyBought()
    price_bands: tuple[PriceBand, ...] = ()
    placements: tuple[Placement, ...] = ()
    boosts: Boosts = Boosts()
    caps: Caps = Caps()
    diversity: Diversity = Diversity()
    pinned: tuple[Pinned, ...] = ()

    @property
    def inert(self) -> bool:
        """Whether nothing is asked for, so that every arm's own order stands."""
        rules = (self.blocked, self.restricted, self.price_bands, self.placements, self.pinned)
        return (
            not any(rules)
            and self.recently_bought.share == 0
            and self.boosts == Boosts()
            and self.caps == Caps()
            and self.diversity.weight == 1
        )
