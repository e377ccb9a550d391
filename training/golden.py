"""Golden answers: requests that a package was asked when it was made, and what it answered; kept inside the package.

`training.selftest` makes them and holds a loaded package against them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from features.activity import Action
from features.records import ARROW_TYPES, STATE, from_record, to_record
from features.shopper import ShopperState

_ACTION = pa.struct([("product_id", pa.string()), ("at", pa.float64()), ("what", pa.string())])
_SCHEMA = pa.schema(
    [
        ("cart", pa.list_(pa.string())),
        ("at", pa.float64()),
        ("arm", pa.string()),
        ("activity", pa.list_(_ACTION)),
        *((column.name, ARROW_TYPES[column.kind]) for column in STATE),
        ("answer", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
    ]
)


@dataclass(frozen=True)
class Golden:
    """One request and its answer.

    Attributes:
        cart: product ids. shopper: state from completed orders. at: unix seconds to rank for. arm: how to rank.
        activity: what the session did lately.
        products, scores: the answer, best first; empty until it is given.
    """

    cart: tuple[str, ...]
    shopper: ShopperState
    at: float
    arm: str
    activity: tuple[Action, ...]
    products: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()


def save_golden(path: Path, golden: Sequence[Golden]) -> None:
    """Write golden answers as Parquet, shoppers' tables packed as the feature store packs them."""
    pq.write_table(pa.Table.from_pylist([_row(item) for item in golden], _SCHEMA), path, compression="zstd")


def load_golden(path: Path) -> tuple[Golden, ...]:
    """Return what `save_golden` wrote.

    Raises:
        ValueError: a packed table is damaged.
    """
    return tuple(_golden(row) for row in pq.read_table(path).to_pylist())


def _row(item: Golden) -> dict[str, Any]:
    state = to_record(item.shopper)
    return {
        "cart": item.cart,
        "at": item.at,
        "arm": item.arm,
        "activity": [dict(zip(_ACTION.names, action, strict=True)) for action in item.activity],
        **{column.name: state[column.name] for column in STATE},
        "answer": item.products,
        "scores": item.scores,
    }


def _golden(row: dict[str, Any]) -> Golden:
    return Golden(
        cart=tuple(row["cart"]),
        shopper=from_record(row),
        at=row["at"],
        arm=row["arm"],
        activity=tuple((action["product_id"], action["at"], action["what"]) for action in row["activity"]),
        products=tuple(row["answer"]),
        scores=tuple(row["scores"]),
    )
