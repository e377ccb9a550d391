"""Who was erased does not come back: ingest leaves their older orders out, and keeps nothing of them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
import pytest

from configs.errors import DataError
from configs.home import write_json
from events.contract import Line
from events.suppression import digest
from features.data.fingerprint import source_fingerprint
from tests.events.record.support import Record
from tests.features.data.shop import Shop, line, order
from tests.features.data.test_live import live_shop, record, sold

__all__ = ["live_shop", "record"]

WISH = pd.Timestamp("2024-05-15T12:00:00Z").timestamp()


def forget(shop: Shop, *ids: str, at: float = WISH) -> None:
    write_json(shop.settings.work.suppressed, {digest(an_id): at for an_id in ids})


def with_anna(shop: Shop) -> None:
    """Give the shop two orders of hers, one before and one after the wish."""
    shop.orders += [
        order("anna-before", member="anna", at="2024-05-15T11:59:59Z"),
        order("anna-after", member="anna", at="2024-05-15T12:00:01Z"),
    ]
    shop.lines += [line(name, "p01") for name in ("anna-before", "anna-after")]


def everything(shop: Shop) -> str:
    """Return what ingest wrote, as text."""
    folder = shop.settings.work.data
    tables = [pd.read_parquet(path).to_csv() for path in sorted(folder.rglob("*.parquet"))]
    return "\n".join([*tables, (folder / "ingest.json").read_text()])


def counted(shop: Shop) -> Mapping[str, int]:
    report = shop.ingest()
    forgotten = report.metrics["forgotten"]
    assert isinstance(forgotten, dict)
    return forgotten


def test_orders_up_to_the_wish_are_left_out_with_their_lines_and_later_ones_count(shop: Shop) -> None:
    with_anna(shop)
    forget(shop, "anna")
    report = shop.ingest()
    assert report.metrics["forgotten"] == {"orders": 1, "order_lines": 1}
    assert "orders: 1 rows left out, of people who were erased" in report.notes
    assert report.metrics["excluded"] == {"products": 0, "orders": 0, "order_lines": 0}
    assert len(shop.table("orders")) == 61
    assert "anna-before" not in everything(shop)
    assert "anna-after" in everything(shop)


def test_what_is_bad_about_their_rows_is_not_kept_in_quarantine(shop: Shop) -> None:
    shop.orders += [order("anna-bad", member="anna", at="never"), order("anna-lines", member="anna")]
    shop.lines += [line("anna-lines", "nowhere", pieces=-1.0), line("anna-bad", "p01")]
    forget(shop, "anna")
    assert counted(shop) == {"orders": 2, "order_lines": 2}
    assert "anna" not in everything(shop)


def test_a_shopper_row_goes_unless_the_person_came_back(shop: Shop) -> None:
    with_anna(shop)
    members = pd.DataFrame({"member": ["m1", "anna", "berta"], "tier": ["a", "b", "c"]})
    members.to_parquet(shop.folder / "members.parquet")
    shop.mapping["tables"]["shoppers"] = {
        "source": {"path": "members.parquet"},
        "columns": {"shopper_id": "member", "tier": "tier"},
    }
    forget(shop, "anna", "berta")
    assert counted(shop) == {"orders": 1, "order_lines": 1, "shoppers": 1}
    assert sorted(shop.table("shoppers")["shopper_id"]) == ["anna", "m1"]


def test_a_longer_list_makes_the_stage_stale(shop: Shop) -> None:
    with_anna(shop)
    shop.ingest()
    found = [source_fingerprint(shop.settings)]
    forget(shop, "anna")
    found.append(source_fingerprint(shop.settings))
    forget(shop, "anna", at=WISH + 1)
    found.append(source_fingerprint(shop.settings))
    forget(shop, "anna", "berta")
    found.append(source_fingerprint(shop.settings))
    assert len(set(found)) == 4


def test_whoever_is_not_on_the_list_loses_nothing(shop: Shop) -> None:
    shop.ingest()
    before = everything(shop)
    forget(shop, "somebody else")
    assert counted(shop) == {}
    assert everything(shop).split('"fingerprint"')[-1] == before.split('"fingerprint"')[-1]


def test_if_nobody_is_left_it_is_said_why(shop: Shop) -> None:
    forget(shop, "m1", at=WISH + 1e9)
    with pytest.raises(DataError, match="erased"):
        shop.ingest()


def test_recorded_orders_under_any_of_their_ids_are_left_out(live_shop: Shop, record: Record) -> None:
    at = pd.Timestamp("2024-06-01T12:00:00Z").timestamp()
    nobody = {"shopper_id": None}
    record.store(
        sold("by-user", Line("p01", price=1.0), shopper_id="anna"),
        sold("by-cookie", Line("p01", price=1.0), **nobody, anonymous_id="cookie"),
        sold("stays", Line("p01", price=1.0), **nobody, anonymous_id="berta"),
    )
    forget(live_shop, "anna", "cookie", at=at)
    assert counted(live_shop) == {"orders": 2}
    assert "stays" in everything(live_shop)
    for gone in ("by-user", "by-cookie", "anna", "anonymous:cookie"):
        assert gone not in everything(live_shop)
