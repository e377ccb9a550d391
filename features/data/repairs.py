"""The documented repairs: what is put right at the door instead of being refused.

Beyond these, ids are trimmed and timestamps become UTC (`convert`, `times`), and a column that the contract gives
a `fill` takes it where it is missing. Each repair that changed something is counted in the stage's notes.
"""

from __future__ import annotations

import pandas as pd

from features.data.ids import positions


def fill_titles(products: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Give products without a title the end of their category path, else their id; return how many."""
    untitled = products["title"].isna()
    leaf = products["category"].str.rsplit(" > ", n=1).str[-1]
    leaf = leaf.mask(leaf == "").fillna(products["product_id"])
    return products.assign(title=products["title"].fillna(leaf)), int(untitled.sum())


def drop_repeated(rows: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Keep the first of rows that agree in every column; return how many went."""
    kept = rows.drop_duplicates()
    return kept, len(rows) - len(kept)


def merge_lines(lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Make one line of those with the same order and product; return how many went.

    Quantities and discounts are added up; the unit price is the mean weighted by quantity, so that what was paid
    stays the same.
    """
    key = ["order_id", "product_id"]
    repeated = lines.duplicated(key, keep=False)
    if not repeated.any():
        return lines, 0
    # Sums of floats depend on their order: sorted, they do not depend on the order of the rows read.
    several = lines[repeated].sort_values([*key, "quantity", "unit_price", "discount"])
    several = several.assign(paid=several["quantity"] * several["unit_price"])
    merged = several.groupby(key, as_index=False, sort=True)[["quantity", "discount", "paid"]].sum()
    merged["unit_price"] = merged["paid"] / merged["quantity"]
    result = pd.concat([lines[~repeated], merged[lines.columns]], ignore_index=True)
    return result, len(lines) - len(result)


def fill_prices(products: pd.DataFrame, orders: pd.DataFrame, lines: pd.DataFrame) -> tuple[pd.DataFrame, int]:
    """Give products without a price the price that was paid for them most recently; return how many.

    Products that were never sold above 0 stay without a price.

    Args:
        products: the catalogue.
        orders: all orders, in order of time.
        lines: all lines.
    """
    unknown = products["price"].isna()
    if not unknown.any():
        return products, 0
    paid = lines[lines["unit_price"] > 0]
    paid = paid.assign(order=positions(paid["order_id"], orders["order_id"])).sort_values("order")
    latest = paid.drop_duplicates("product_id", keep="last").set_index("product_id")["unit_price"]
    filled = products["price"].fillna(products["product_id"].map(latest))
    return products.assign(price=filled), int(unknown.sum() - filled.isna().sum())
