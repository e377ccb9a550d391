"""What rules look at beside the model's context, and whether a condition holds in it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from features.context import Context
from features.days import midnight
from serving.rules.schema import When


@dataclass(frozen=True, slots=True)
class Situation:
    """A request as the rules see it; None and NaN are not known.

    Attributes:
        step: of the checkout. country: as told. age: of the shopper, years.
        cart_value: money for the whole cart. dearest_line: highest price per unit in it.
    """

    step: int | None = None
    country: str | None = None
    age: int | None = None
    cart_value: float = math.nan
    dearest_line: float = math.nan

    @classmethod
    def of(
        cls, step: int | None, country: str | None, age: int | None, lines: Iterable[tuple[float, float]]
    ) -> Situation:
        """Return the situation; a country of blanks is not known.

        Args:
            lines: (quantity, price per unit) of the cart's lines; NaN prices are left out.
        """
        told = [(quantity, price) for quantity, price in lines if not math.isnan(price)]
        named = (country or "").strip().casefold() or None
        if not told:
            return cls(step, named, age)
        value = sum(quantity * price for quantity, price in told)
        return cls(step, named, age, value, max(price for _, price in told))


class Condition:
    """A `When`, ready to be asked.

    Args:
        when: as in the file. timezone: IANA zone of its days.
        cart: bool[products], what the cart must hold one of; None: anything.
    """

    def __init__(self, when: When, timezone: str, cart: NDArray[np.bool_] | None) -> None:
        self._starts = _start(when.first_day, 0, timezone, -math.inf)
        self._ends = _start(when.last_day, 1, timezone, math.inf)
        self._steps, self._cart = frozenset(when.steps), cart
        self._countries = frozenset(country.strip().casefold() for country in when.countries)
        self._least, self._most = when.cart_value_at_least, when.cart_value_at_most

    def holds(self, context: Context, situation: Situation) -> bool:
        """Return whether every part of the condition is met."""
        return (
            self._starts <= context.now < self._ends
            and (not self._steps or situation.step in self._steps)
            and (not self._countries or situation.country in self._countries)
            and (self._least is None or situation.cart_value >= self._least)
            and (self._most is None or situation.cart_value <= self._most)
            and (self._cart is None or bool(self._cart[context.cart].any()))
        )


def _start(day: date | None, later: int, timezone: str, otherwise: float) -> float:
    """Return unix seconds of the midnight so many days after `day`."""
    return otherwise if day is None else float(midnight(day + timedelta(days=later), ZoneInfo(timezone)))
