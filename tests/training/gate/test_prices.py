"""The gate's check of shown prices: honest changes of some products pass, mistakes that concern many do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray

from configs import Settings, load_settings
from configs.gating import GateSettings
from features.history import History, load_history
from training.gate.prices import Reference, medians, paid_before, prices, shown_by
from training.gate.verdict import Check
from training.package import ModelPackage

CHAMPION = "4"


def gate(**changed: float) -> GateSettings:
    return load_settings().registry.gate.model_copy(update=changed)


def repriced(package: ModelPackage, factor: float | NDArray[np.float64]) -> ModelPackage:
    """Return a package that shows other prices: `factor` times its own."""
    matrix = package.matrix
    price = (matrix.price * factor).astype(np.float32)
    catalogue, stats = replace(matrix.catalogue, price=price), replace(matrix.stats, price=price)
    return replace(package, matrix=replace(matrix, catalogue=catalogue, stats=stats))


def for_some(package: ModelPackage, rows: NDArray[np.intp], factor: float) -> NDArray[np.float64]:
    """Return float64[products], `factor` for some products and 1 for the others."""
    factors = np.ones(len(package.products))
    factors[rows] = factor
    return factors


def judged(package: ModelPackage, against: ModelPackage, **bounds: float) -> Check:
    return prices(package, [shown_by(CHAMPION, against)], gate(**bounds))


@pytest.fixture(scope="module")
def paid(built_shop: Settings, package: ModelPackage) -> Reference:
    return paid_before(load_history(built_shop.work.data), package.as_of, 28.0)


def test_the_prices_that_a_package_shows_are_those_that_were_paid(package: ModelPackage, paid: Reference) -> None:
    check = prices(package, [shown_by(CHAMPION, package), paid], gate())
    assert check.passed
    assert set(check.figures) == {"champion", "paid"}
    assert check.figures["champion"]["moved"] == 0
    assert check.figures["champion"]["median_factor"] == 1.0
    assert "version 4 shows" in check.says
    assert "was paid in the 28 days before its cutoff" in check.says


@pytest.mark.parametrize("factor", [0.4, 1.1, 3.0, 100.0])
def test_a_few_products_may_have_another_price_however_different(
    package: ModelPackage, paid: Reference, factor: float
) -> None:
    few = np.random.default_rng(5).permutation(len(package.products))[: len(package.products) // 25]
    changed = repriced(package, for_some(package, few, factor))
    assert prices(changed, [shown_by(CHAMPION, package), paid], gate()).passed


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_cents_for_dollars_are_refused_with_how_many_how_far_and_examples(package: ModelPackage, factor: float) -> None:
    check = judged(repriced(package, factor), package)
    assert not check.passed
    size = int((package.matrix.price > 0).sum())
    assert f"{size:,} of {size:,} products moved by more than × 2, the median by × {factor:.2f}" in check.says
    examples = check.figures["champion"]["examples"]
    assert len(examples) == 3
    assert all(example in check.says and " instead of " in example for example in examples)
    best = int(package.matrix.stats.popularity.argmax())
    before = float(package.matrix.price[best])
    assert examples[0].endswith(f" {factor * before:.2f} instead of {before:.2f}")


def test_the_first_model_is_held_against_what_was_paid(package: ModelPackage, paid: Reference) -> None:
    check = prices(repriced(package, 100.0), [paid], gate())
    assert not check.passed
    assert check.says.startswith("its prices are not what was paid in the 28 days before its cutoff")


@pytest.mark.parametrize("factor", [0.85, 1.09, 1.27])
def test_another_currency_is_refused_although_no_product_moved_far(package: ModelPackage, factor: float) -> None:
    check = judged(repriced(package, factor), package)
    assert not check.passed
    assert check.figures["champion"]["moved"] == 0
    assert len(check.figures["champion"]["examples"]) == 3
    assert judged(repriced(package, factor), package, price_median_factor=1.3).passed


def test_a_single_category_in_cents_is_refused_by_name(package: ModelPackage) -> None:
    """However small its part of all products is: the share alone would let it pass."""
    name, count = Counter(package.products.categories).most_common()[0]
    rows = np.flatnonzero([category == name for category in package.products.categories])
    bug = repriced(package, for_some(package, rows, 100.0))
    check = judged(bug, package, price_share=0.9, price_products=count)
    assert not check.passed
    assert check.figures["champion"]["category"] == name
    assert f"{count} of {count} products of {name} moved" in check.says
    assert judged(bug, package, price_share=0.9, price_products=count + 1).passed


def test_more_products_than_may_move_are_refused_and_exactly_as_many_are_not(package: ModelPackage) -> None:
    priced = np.flatnonzero(package.matrix.price > 0)
    few = priced[::10]  # of every category some
    share = few.size / priced.size
    bug = repriced(package, for_some(package, few, 2.5))
    assert judged(bug, package, price_share=share).passed
    check = judged(bug, package, price_share=share - 1e-6)
    assert not check.passed
    names = {package.products.titles[row] for row in few}
    assert all(any(name in example for name in names) for example in check.figures["champion"]["examples"])


@pytest.mark.parametrize("lost", [0.0, np.nan])
def test_prices_that_are_lost_have_moved(package: ModelPackage, lost: float) -> None:
    check = judged(repriced(package, lost), package)
    assert not check.passed
    assert "the median by × 0.00" in check.says


def test_a_product_without_a_known_price_elsewhere_says_nothing(package: ModelPackage) -> None:
    free = np.full(len(package.products), np.nan)
    free[:2] = 0.0
    check = prices(package, [Reference("champion", "version 4 shows", package.products.keys, free)], gate())
    assert not check.passed
    assert check.found == "not compared"
    assert "`tillwise ingest`" in check.says


def test_products_are_found_by_key_in_whatever_order_the_other_catalogue_has_them(package: ModelPackage) -> None:
    order = np.random.default_rng(2).permutation(len(package.products))[::2]
    keys = np.append(package.products.keys[order], 7)
    other = Reference("champion", "version 4 shows", keys, np.append(package.matrix.price[order], 1.0).astype(float))
    check = prices(package, [other], gate())
    assert check.passed
    assert check.figures["champion"]["products"] == (package.matrix.price[order] > 0).sum()
    assert check.figures["champion"]["median_factor"] == 1.0


def test_what_was_paid_is_the_median_of_the_days_before_the_cutoff(built_shop: Settings, package: ModelPackage) -> None:
    history: History = load_history(built_shop.work.data)
    days, as_of = 10.0, package.as_of
    lately: dict[int, list[float]] = {}
    for order in range(len(history)):
        if as_of - days * 86_400 <= history.at[order] < as_of:
            lines = slice(history.start[order], history.start[order + 1])
            for product, paid in zip(history.product[lines], history.unit_price[lines], strict=True):
                lately.setdefault(int(product), []).append(float(paid))
    found = paid_before(history, as_of, days)
    assert found.price[list(lately)] == pytest.approx([median(paid) for paid in lately.values()])
    assert np.isnan(np.delete(found.price, list(lately))).all()


def test_medians_are_numpys_of_each_group() -> None:
    chance = np.random.default_rng(3)
    values, group = chance.random(500), chance.integers(0, 40, 500).astype(np.int32)
    group[group == 7] = 8
    found = medians(values, group, 41)
    for number in range(41):
        expected = np.median(values[group == number]) if (group == number).any() else np.nan
        assert found[number] == pytest.approx(expected, nan_ok=True)
