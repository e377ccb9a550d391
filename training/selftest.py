"""The self-test of a model package: it must answer recorded requests as it did on the day it was made.

Checksums tell that a package is what was written. This tells that the code, libraries and machine that load it make the
same recommendations of it: a changed feature, an incompatible library or a broken build shows here, before a shopper
sees it. `package` records through the public `Recommender`; `promote` and every replica check.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from configs.errors import PackageError
from configs.settings import FeatureSettings
from features.activity import KINDS, Action
from features.history import History
from features.shopper import Order, ShopperState, fold
from training.golden import Golden
from training.package import ModelPackage
from training.recommender import ARMS, Recommender

K = 10
OF_MODEL, OF_EACH_ARM = 16, 2
"""Requests to the arm `model`, which serves, and to each other arm."""
ORDERS = 8
"""Of a recorded shopper; every other one is bought again, so that habits show."""
DAY = 86_400
SEED = 20251123

RELATIVE, ABSOLUTE = 1e-4, 1e-4
"""How far a score may lie from the recorded one, in shares of it and in the score's own unit.

Features are float32, and linear algebra adds them up in an order that depends on the processor. With the kernels that
OpenBLAS has for processors from Prescott to Skylake (OPENBLAS_CORETYPE chooses) scores moved by at most 5e-6.
"""
MAY_DIFFER = 0.1
"""Share of the requests that may be answered otherwise, though never all of one arm. A feature that differs in its
last bit may fall on the other side of a tree's threshold or of an int8 step, which moves a score by more than any
tolerance that would still find faults. That is rare; a fault changes nearly every answer."""


def with_golden(package: ModelPackage, history: History) -> ModelPackage:
    """Return the package with golden answers, recorded for made-up shoppers.

    Each order of such a shopper is somebody else's, so that no person's history lies in a package.

    Args:
        package: ranks. history: orders before the package's cutoff, at least one.
    """
    return recorded(package, requests(package, history))


def recorded(package: ModelPackage, asked: Iterable[Golden]) -> ModelPackage:
    """Return the package with its own answers to the requests as its golden ones."""
    recommender = Recommender(package)
    return replace(package, golden=tuple(answered(recommender, item) for item in asked))


def requests(package: ModelPackage, history: History) -> Iterator[Golden]:
    """Yield requests without answers; the same ones for the same package and history.

    Args:
        package: names products and cutoff. history: orders before the cutoff, at least one; its catalogue is the
            package's.
    """
    arms = ["model"] * OF_MODEL + [arm for arm in ARMS if arm != "model"] * OF_EACH_ARM
    chance = np.random.default_rng(SEED)
    for number, arm in enumerate(arms):
        at = package.as_of + 3_600 * number
        known = number % 4 != 3
        shopper = _made_up(package.matrix.features, history, at, chance) if known else ShopperState.empty()
        basket = _ids(history, chance)
        cart = () if number % 8 == 5 else basket[: 1 + number % 6]
        yield Golden(cart, shopper, float(at), arm, _activity(_ids(history, chance)[:3], at))


def answered(recommender: Recommender, asked: Golden) -> Golden:
    """Return a request with the recommender's answer, scores to six digits."""
    items = recommender.recommend(asked.cart, asked.shopper, asked.at, K, asked.arm, activity=asked.activity)
    scores = tuple(float(f"{item.score:.6g}") for item in items)
    return replace(asked, products=tuple(item.product_id for item in items), scores=scores)


def check(recommender: Recommender, rest: Callable[[], None] = lambda: None) -> None:
    """Hold a package against its golden answers; this also ranks once with every arm, so it warms what it checks.

    Args:
        recommender: of the package. rest: called before each request, where something else is to go on in between.

    Raises:
        PackageError: it holds none, it cannot answer them, or it answers too many otherwise.
    """
    package = recommender.package
    wrong: dict[int, str] = {}
    for place, item in enumerate(package.golden):
        rest()
        if trouble := difference(recommender, item):
            wrong[place] = trouble
    lost = {item.arm for item in package.golden} - {
        item.arm for place, item in enumerate(package.golden) if place not in wrong
    }
    if not package.golden or lost or len(wrong) > MAY_DIFFER * len(package.golden):
        found = f"{len(wrong)} of its {len(package.golden)} recorded requests are answered otherwise than on that day"
        first = f", one because {next(iter(wrong.values()))}" if wrong else ""
        raise PackageError(
            f"Package {package.version} fails its self-test, made by other code or libraries than these, or "
            f"damaged: {found}{first}. Train again."
        )


def difference(recommender: Recommender, golden: Golden) -> str | None:
    """Return in what the recommender's answer differs from the recorded one, or how it fails; None if it does not."""
    try:
        found = answered(recommender, golden)
    except Exception as error:  # whatever breaks, breaks the package's promise
        return f"the arm {golden.arm} fails ({type(error).__name__}: {error})"
    return disagreement(found, golden)


def disagreement(found: Golden, golden: Golden) -> str | None:
    """Return in what an answer differs from the recorded one; None when it is the same up to ties and tolerance."""
    if len(found.products) != len(golden.products):
        return f"the arm {golden.arm} finds {len(found.products)} products instead of {len(golden.products)}"
    allowed = [ABSOLUTE + RELATIVE * abs(score) for score in golden.scores]
    place = {product: number for number, product in enumerate(golden.products)}
    for number, (product, score) in enumerate(zip(found.products, found.scores, strict=True)):
        # One that was not in the list may only have tied with its last.
        for other in {number, place.get(product, len(place) - 1)}:
            if not abs(score - golden.scores[other]) <= allowed[other]:
                return (
                    f"the arm {golden.arm} scores {product} {score:g} at rank {number + 1}, where "
                    f"{golden.products[other]} had {golden.scores[other]:g}"
                )
    return None


def _made_up(features: FeatureSettings, history: History, at: int, chance: np.random.Generator) -> ShopperState:
    """Return a shopper with orders of others, one a week or so, the last a few days before `at`."""
    days = np.cumsum(chance.integers(2, 12, ORDERS))[::-1].tolist()
    drawn = [_drawn(history, chance) for _ in range(ORDERS // 2)] * 2
    return fold((replace(order, at=at - day * DAY) for order, day in zip(drawn, days, strict=True)), features)


def _drawn(history: History, chance: np.random.Generator) -> Order:
    return history.order(int(chance.integers(len(history))))


def _ids(history: History, chance: np.random.Generator) -> tuple[str, ...]:
    rows = history.products_of(int(chance.integers(len(history))))
    return tuple(history.catalogue.ids[row] for row in chance.permutation(rows).tolist())


def _activity(products: tuple[str, ...], at: int) -> tuple[Action, ...]:
    return tuple((product, at - 60.0 * n, KINDS[n % len(KINDS)]) for n, product in enumerate(products))
