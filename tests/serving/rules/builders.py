"""A small catalogue, requests on it, random valid rules, and what they mean product by product, told naively."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import numpy as np
from hypothesis import strategies as st

from features.context import Context, ProductMatrix
from features.cooccurrence import cooccurrence
from features.products import product_stats
from features.shopper import ShopperState, fold
from serving.rules import Chosen, CompiledRules, Pool, RuleFile, Situation, choose
from serving.rules.schema import Rules
from tests.features.histories import DAY, FEATURES, START, Bought, catalogue, history

PRODUCTS = 40
NOW = START + 30 * DAY
BOUGHT = [
    Bought(START + day * DAY, day % 4, tuple(sorted({day % 7, (3 * day) % PRODUCTS, (5 * day + 1) % PRODUCTS})))
    for day in range(30)
]


@cache
def matrix() -> ProductMatrix:
    """Return forty products: three categories below Food, two brands and none, prices from 1 to 9."""
    past = history(BOUGHT, products=PRODUCTS)
    return ProductMatrix(
        catalogue(PRODUCTS), product_stats(past, NOW, FEATURES), cooccurrence(past, NOW, FEATURES), FEATURES
    )


@cache
def shopper() -> ShopperState:
    """Return a shopper of the history."""
    past = history(BOUGHT, products=PRODUCTS)
    return fold((past.order(int(order)) for order in np.flatnonzero(past.shopper == 0)), FEATURES)


def context(cart: tuple[int, ...] = (), who: ShopperState | None = None, now: float = NOW) -> Context:
    """Return a request."""
    return Context(matrix(), who or ShopperState.empty(), np.array(sorted(cart), dtype=np.int32), now)


def compiled(content: Mapping[str, Any], over: ProductMatrix | None = None) -> CompiledRules:
    """Return the rules of a file's content over the small catalogue, or another."""
    return CompiledRules(RuleFile(Rules.model_validate(content), "test"), over or matrix())


def pool(cart: tuple[int, ...] = (), seed: int = 0) -> Pool:
    """Return every product but the cart's, with distinct scores, best first."""
    rows = np.setdiff1d(np.arange(PRODUCTS), cart).astype(np.int32)
    scores = np.random.default_rng(seed).permutation(rows.size).astype(np.float64)
    order = np.argsort(-scores)
    return Pool(rows[order], scores[order], log_odds=True)


def chosen(content: Mapping[str, Any], request: Context, situation: Situation, given: Pool, k: int = 10) -> Chosen:
    """Return what rules of this content choose."""
    return choose(compiled(content), request, situation, given, k)


SELECTS = st.fixed_dictionaries(
    {},
    optional={
        "products": st.lists(st.integers(0, 44).map(lambda n: f"p{n:03d}"), min_size=1, max_size=5),
        "categories": st.lists(st.sampled_from(["Food", "Food > A", "food > b", "Nowhere"]), min_size=1, max_size=2),
        "brands": st.lists(st.sampled_from(["Brand 1", "brand 2", "Unheard of"]), min_size=1, max_size=2),
    },
).filter(bool)

WHENS = st.fixed_dictionaries(
    {},
    optional={
        "first_day": st.just(date(2023, 12, 1)),
        "last_day": st.just(date(2023, 12, 20)),
        "steps": st.lists(st.integers(0, 3), min_size=1, max_size=2),
        "countries": st.lists(st.sampled_from(["NL", "de"]), min_size=1, max_size=2),
        "cart_holds": SELECTS,
        "cart_value_at_least": st.floats(0, 30),
    },
)

FACTORS = st.floats(0.1, 3)

RULES = st.fixed_dictionaries(
    {},
    optional={
        "blocked": st.lists(st.fixed_dictionaries({"select": SELECTS}, optional={"when": WHENS}), max_size=2),
        "restricted": st.lists(
            st.fixed_dictionaries(
                {"select": SELECTS, "minimum_age": st.integers(0, 30)},
                optional={"countries": st.just(["NL"]), "not_in_countries": st.just(["DE"])},
            ),
            max_size=2,
        ),
        "recently_bought": st.fixed_dictionaries(
            {"share": st.floats(0, 2), "days": st.floats(1, 20)},
            optional={"intervals": st.just([{"category": "Food > A", "days": 3}, {"category": "Food", "days": 9}])},
        ),
        "price_bands": st.lists(
            st.fixed_dictionaries(
                {"of": st.sampled_from(["dearest_line", "cart_value"]), "at_most": FACTORS},
                optional={"select": SELECTS, "when": WHENS},
            ),
            max_size=2,
        ),
        "placements": st.lists(
            st.fixed_dictionaries(
                {"when": WHENS, "at_most": st.integers(0, 8)},
                optional={"only": SELECTS, "price_at_most": st.floats(1, 9)},
            ),
            max_size=2,
        ),
        "boosts": st.fixed_dictionaries(
            {},
            optional={
                "margin": st.floats(-5, 5),
                "promotions": st.lists(
                    st.fixed_dictionaries(
                        {"select": SELECTS, "log_odds": st.floats(-20, 20)}, optional={"when": WHENS}
                    ),
                    max_size=2,
                ),
            },
        ),
        "caps": st.fixed_dictionaries(
            {},
            optional={
                "category": st.integers(1, 4),
                "department": st.integers(1, 8),
                "brand": st.integers(1, 4),
                "groups": st.lists(
                    st.fixed_dictionaries({"select": SELECTS, "at_most": st.integers(1, 3)}), max_size=2
                ),
            },
        ),
        "diversity": st.fixed_dictionaries({"lambda": st.floats(0, 1)}, optional={"best": st.integers(2, 60)}),
        "pinned": st.lists(
            st.fixed_dictionaries(
                {"product": st.integers(0, 41).map(lambda n: f"p{n:03d}"), "position": st.integers(1, 6)},
                optional={"when": WHENS},
            ),
            max_size=3,
        ),
    },
)
"""Valid contents of a rules file."""

SITUATIONS = st.builds(
    Situation.of,
    st.none() | st.integers(0, 3),
    st.sampled_from([None, "NL", "nl ", "DE", ""]),
    st.none() | st.integers(0, 40),
    st.lists(st.tuples(st.floats(1, 3), st.floats(0.5, 9) | st.just(math.nan)), max_size=3),
)
CARTS = st.lists(st.integers(0, PRODUCTS - 1), max_size=4, unique=True).map(tuple)


def selected(select: Mapping[str, Any], row: int) -> bool:
    """Return whether a selector means a product."""
    products = matrix().catalogue
    path, brand = products.categories[row].lower(), products.brands[row].lower()
    return (
        products.ids[row] in select.get("products", [])
        or any(path == name.lower() or path.startswith(f"{name.lower()} > ") for name in select.get("categories", []))
        or brand in [name.lower() for name in select.get("brands", [])]
    )


def holds(when: Mapping[str, Any], request: Context, situation: Situation) -> bool:
    """Return whether a condition is met."""
    day = datetime.fromtimestamp(request.now, UTC).date()
    if day < when.get("first_day", day) or day > when.get("last_day", day):
        return False
    if "steps" in when and situation.step not in when["steps"]:
        return False
    if "countries" in when and situation.country not in [name.lower() for name in when["countries"]]:
        return False
    if "cart_holds" in when and not any(selected(when["cart_holds"], row) for row in request.cart.tolist()):
        return False
    return not ("cart_value_at_least" in when and not situation.cart_value >= when["cart_value_at_least"])


def may_be_shown(content: Mapping[str, Any], request: Context, situation: Situation, row: int) -> bool:
    """Return whether the rules let a product through, asked one by one."""

    def active(part: str) -> list[Mapping[str, Any]]:
        return [rule for rule in content.get(part, []) if holds(rule.get("when", {}), request, situation)]

    price, here = float(matrix().price[row]), situation.country
    barred = row in request.cart.tolist() or any(selected(rule["select"], row) for rule in active("blocked"))
    for rule in content.get("restricted", []):
        if selected(rule["select"], row):
            barred |= situation.age is None or situation.age < rule["minimum_age"]
            barred |= "countries" in rule and here != "nl"
            barred |= "not_in_countries" in rule and here in (None, "de")
    for rule in active("price_bands"):
        reference = situation.dearest_line if rule["of"] == "dearest_line" else situation.cart_value
        if not math.isnan(reference) and ("select" not in rule or selected(rule["select"], row)):
            barred |= price > rule["at_most"] * reference * 1.00001
    for rule in active("placements"):
        barred |= "only" in rule and not selected(rule["only"], row)
        barred |= price > rule.get("price_at_most", math.inf) * 1.00001
    return not barred and not _too_soon(content.get("recently_bought", {}), request, row)


def _too_soon(rule: Mapping[str, Any], request: Context, row: int) -> bool:
    days = rule.get("days", 14.0)
    if "intervals" in rule:
        days = 3 if matrix().catalogue.categories[row] == "Food > A" else 9
    table, key = request.shopper.products, int(matrix().catalogue.keys[row])
    last = {int(known): int(at) for known, at in zip(table.keys, table.last_at, strict=True)}.get(key, -math.inf)
    return request.now - last < rule.get("share", 0) * days * DAY * 0.99999
