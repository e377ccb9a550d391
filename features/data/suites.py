"""The data contract as Great Expectations suites: one a table, each expectation with the reason people read.

Besides contract columns the suites look at columns that ingestion derives: `unreadable_X` is set where column X
may be missing but something unreadable stood; `unknown_X` holds the id where it refers to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe

EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)


def suite_for(table: str, now: datetime) -> gx.ExpectationSuite:
    """Return the suite of a contract table.

    Args:
        table: products, orders, order_lines or shoppers.
        now: when this is; orders of the future are refused (a day is allowed for clocks that run ahead).

    Returns:
        Expectations in order of precedence, with `meta`: rank, column (of the contract), reason.
    """
    expectations = list(_EXPECTATIONS[table](now))
    for rank, expectation in enumerate(expectations):
        expectation.meta["rank"] = rank
    return gx.ExpectationSuite(name=table, expectations=expectations)


def _products(_: datetime) -> Iterator[gxe.Expectation]:
    yield _present("product_id")
    yield _unique("product_id")
    yield _present("title")
    yield _readable("price")
    yield _at_least_zero("price")
    yield _readable("margin")
    yield _present("in_stock", "is missing or neither yes nor no")


def _orders(now: datetime) -> Iterator[gxe.Expectation]:
    yield _present("order_id")
    yield _unique("order_id")
    yield _present("shopper_id")
    yield _present("placed_at", "is missing or no readable timestamp")
    yield gxe.ExpectColumnValuesToBeBetween(
        column="placed_at",
        min_value=EARLIEST,
        max_value=now + timedelta(days=1),
        meta=_meta("placed_at", f"is before {EARLIEST.year} or in the future"),
    )


def _order_lines(_: datetime) -> Iterator[gxe.Expectation]:
    yield _present("order_id")
    yield _present("product_id")
    yield _known("order_id", "orders")
    yield _known("product_id", "products")
    yield _present("quantity", "is missing or no number")
    yield gxe.ExpectColumnValuesToBeBetween(
        column="quantity", min_value=0, strict_min=True, meta=_meta("quantity", "is not above 0")
    )
    yield _present("unit_price", "is missing or no number")
    yield _at_least_zero("unit_price")
    yield _readable("discount")
    yield _at_least_zero("discount")


def _shoppers(_: datetime) -> Iterator[gxe.Expectation]:
    yield _present("shopper_id")
    yield _unique("shopper_id")


_EXPECTATIONS: dict[str, Callable[[datetime], Iterator[gxe.Expectation]]] = {
    "products": _products,
    "orders": _orders,
    "order_lines": _order_lines,
    "shoppers": _shoppers,
}


def _meta(column: str, reason: str) -> dict[str, Any]:
    return {"column": column, "reason": f"{column} {reason}"}


def _present(column: str, reason: str = "is missing") -> gxe.Expectation:
    return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=_meta(column, reason))


def _unique(column: str) -> gxe.Expectation:
    reason = "occurs more than once, with different contents"
    return gxe.ExpectColumnValuesToBeUnique(column=column, meta=_meta(column, reason))


def _at_least_zero(column: str) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=0, meta=_meta(column, "is below 0"))


def _readable(column: str) -> gxe.Expectation:
    return gxe.ExpectColumnValuesToBeNull(column=f"unreadable_{column}", meta=_meta(column, "is no number"))


def _known(column: str, table: str) -> gxe.Expectation:
    reason = f"is not in {table} (or was rejected there)"
    return gxe.ExpectColumnValuesToBeNull(column=f"unknown_{column}", meta=_meta(column, reason))
