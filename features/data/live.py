"""The shop's live orders, out of the system of record, as rows that go through the door with the shop's own tables.

Only a dataset whose clock is live takes them in: beside a historical one, what is collected is a rehearsal.

An order that was given back later stays an order here. At every moment before the return it was a purchase, and that is
what features of such a moment may know; without the line they would tell of the future. To end it at the return, the
return's time would have to travel through the contract, Feast's states and the pair counts, which only ever grow, and
the live profiles, which keep the order too: training and serving would come to differ for a few lines. What came back
counts where outcomes do: it is no success of what was shown (`events.record.attribution`), nor anything to learn from
(`training.feedback`).
"""

from __future__ import annotations

import pandas as pd

from configs.dataset import DatasetConfig
from configs.mapping import FileSource, LineColumns, LineTable, OrderColumns, OrderTable, Table
from configs.settings import Settings
from events.record.reading import LINE_COLUMNS, ORDER_COLUMNS, orders_digest, read_orders
from events.suppression import is_suppressed, suppressed_until
from features.data.ids import is_among, positions
from features.data.mapping import map_table

ANONYMOUS = "anonymous:"
"""Opens the shopper id of an order that nobody was named for, then or since: its products were bought together."""

PERSON = ("shopper_id", "anonymous_id", "session_id")

_SOURCE = FileSource(path="the system of record")
_TABLES: dict[str, Table] = {
    "orders": OrderTable(
        source=_SOURCE,
        columns=OrderColumns(order_id="order_id", shopper_id="shopper_id", placed_at="placed_at", channel="channel"),
    ),
    "order_lines": LineTable(
        source=_SOURCE,
        columns=LineColumns(
            order_id="order_id",
            product_id="product_id",
            quantity="quantity",
            unit_price="unit_price",
            discount="discount",
        ),
    ),
}


class LiveOrders:
    """Rows that wait to be taken in; orders that the shop's own tables have as well are left to them."""

    def __init__(self, orders: pd.DataFrame, lines: pd.DataFrame, forgotten: int = 0) -> None:
        """Hold rows by table; columns are those of the contract. `forgotten` orders of erased people were left out."""
        self._raw = {"orders": orders, "order_lines": lines}
        self.forgotten = forgotten

    def rows(self, table: str, own: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the rows to take in beside the shop's own: as they were recorded, and mapped to the contract.

        Args:
            table: name of the contract table.
            own: the shop's own rows after mapping.
        """
        if table not in self._raw:
            return pd.DataFrame(), own.iloc[:0]
        if table == "orders":
            raw = self._raw["orders"]
            self._raw["orders"] = raw[~is_among(raw["order_id"], own["order_id"])].reset_index(drop=True)
            lines = self._raw["order_lines"]
            of_these = is_among(lines["order_id"], self._raw["orders"]["order_id"])
            self._raw["order_lines"] = lines[of_these].reset_index(drop=True)
        raw = self._raw[table]
        return raw, map_table(raw, table, _TABLES[table], None).frame

    def fill_prices(self, products: pd.DataFrame) -> None:
        """Give lines that tell no price the catalogue's."""
        lines = self._raw["order_lines"]
        known = is_among(lines["product_id"], products["product_id"]) & lines["unit_price"].isna()
        rows = positions(lines.loc[known, "product_id"], products["product_id"])
        lines.loc[known, "unit_price"] = products["price"].to_numpy()[rows]


def live_orders(settings: Settings, dataset: DatasetConfig) -> LiveOrders | None:
    """Return the recorded orders; None where there are none to take in.

    Orders of people who were erased since are not among them: a record that was restored from a backup has them again.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    if dataset.clock != "live":
        return None
    orders, lines = read_orders(settings)
    if not orders:
        return None
    until = suppressed_until(settings.work.suppressed)
    told = [dict(zip(ORDER_COLUMNS, row, strict=True)) for row in orders]
    kept = [row for row in told if not is_suppressed([row[name] for name in PERSON], row["received_at"], until)]
    frame = pd.DataFrame(kept, columns=list(ORDER_COLUMNS))
    nobody = ANONYMOUS + frame["anonymous_id"].fillna(frame["session_id"])
    frame["shopper_id"] = frame["shopper_id"].fillna(nobody)
    frame["placed_at"] = pd.to_datetime(frame["placed_at"], unit="s", utc=True)
    line_frame = pd.DataFrame(lines, columns=list(LINE_COLUMNS)).astype({"unit_price": "float64"})
    frame = frame.drop(columns=["received_at", "anonymous_id", "session_id"])
    return LiveOrders(frame, line_frame, forgotten=len(told) - len(kept))


def live_digest(settings: Settings, dataset: DatasetConfig) -> str:
    """Return text that changes when the orders to take in do.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    return orders_digest(settings) if dataset.clock == "live" else ""
