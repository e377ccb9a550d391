"""Fingerprints change with what they stand for, and with nothing else."""

from __future__ import annotations

import os

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from configs.errors import DataError
from configs.home import read_json
from features.data.fingerprint import content_fingerprint, source_fingerprint
from tests.features.data.shop import Shop


def test_the_source_fingerprint_follows_the_bytes_of_the_files_and_not_their_dates(shop: Shop) -> None:
    shop.write("csv")
    before = source_fingerprint(shop.settings)
    file = shop.folder / "order_lines.csv"

    os.utime(file, (1, 1))
    assert source_fingerprint(shop.settings) == before
    file.write_bytes(file.read_bytes().replace(b"2.0", b"2.1", 1))
    assert source_fingerprint(shop.settings) != before


def test_the_source_fingerprint_follows_the_mapping(shop: Shop) -> None:
    shop.write()
    before = source_fingerprint(shop.settings)

    shop.map("orders", channel={"value": "web"})
    shop.write_mapping()

    assert source_fingerprint(shop.settings) != before


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        ("update products set price = 0.5 where sku = 'p07'", True),
        ("insert into orders select 'new', member, at, till from orders limit 1", True),
        ("delete from order_lines where ticket = 'o03'", True),
        ("update order_lines set each = 9.0 where ticket = 'o03'", True),
        ("update order_lines set each = 1.0 where ticket = 'o03'", False),  # documented: no maximum changes
    ],
)
def test_the_source_fingerprint_of_a_database_sees_what_it_says_it_sees(shop: Shop, change: str, seen: bool) -> None:
    engine = create_engine(f"sqlite:///{shop.folder}/shop.db")
    for name, rows in shop.tables.items():
        pd.DataFrame(rows).to_sql(name, engine, index=False)
        shop.mapping["tables"][name]["source"] = {"url": "sqlite:///shop.db", "table": name}
    shop.write_mapping()
    before = source_fingerprint(shop.settings)
    assert source_fingerprint(shop.settings) == before

    with engine.begin() as connection:
        connection.execute(text(change))
    engine.dispose()

    assert (source_fingerprint(shop.settings) != before) is seen


def test_a_source_that_is_missing_has_no_fingerprint(shop: Shop) -> None:
    shop.write()
    (shop.folder / "orders.parquet").unlink()

    with pytest.raises(DataError, match=r"orders\.parquet does not exist"):
        source_fingerprint(shop.settings)


VALUES = st.fixed_dictionaries(
    {
        "s": st.one_of(st.none(), st.text(max_size=3)),
        "n": st.one_of(st.none(), st.sampled_from([0.0, 1.5])),
        "b": st.booleans(),
        "t": st.integers(0, 3),
    }
)
SCHEMA = pa.schema([("s", pa.string()), ("n", pa.float64()), ("b", pa.bool_()), ("t", pa.timestamp("us", tz="UTC"))])


@given(st.lists(VALUES, max_size=5), st.lists(VALUES, max_size=5))
def test_two_tables_have_the_same_fingerprint_exactly_when_they_hold_the_same(
    rows: list[dict[str, object]], others: list[dict[str, object]]
) -> None:
    one, other = (pa.Table.from_pylist(content, SCHEMA) for content in (rows, others))

    assert (content_fingerprint({"x": one}) == content_fingerprint({"x": other})) is (rows == others)


@given(st.lists(VALUES, min_size=1, max_size=6), st.data())
def test_the_fingerprint_does_not_see_how_arrow_cuts_a_table(
    rows: list[dict[str, object]], data: st.DataObject
) -> None:
    whole = pa.Table.from_pylist(rows, SCHEMA)
    cut = data.draw(st.integers(0, len(rows)))
    pieces = pa.concat_tables([whole.slice(0, cut), whole.slice(cut)])

    assert content_fingerprint({"x": pieces}) == content_fingerprint({"x": whole})


def test_the_fingerprint_of_a_written_shop_is_the_same_every_time(shop: Shop) -> None:
    first = shop.ingest().metrics["fingerprint"]

    assert shop.ingest().metrics["fingerprint"] == first
    shop.products[0]["price"] = 2.6
    assert shop.ingest().metrics["fingerprint"] != first


def test_what_is_known_of_shoppers_is_no_part_of_what_models_are_made_from(shop: Shop) -> None:
    members = shop.folder / "members.csv"
    columns = {"shopper_id": "member", "age": "age"}
    shop.mapping["tables"]["shoppers"] = {"source": {"path": members.name}, "columns": columns}
    found = []
    for ages in (("18-29", "65+"), ("65+", "18-29")):
        pd.DataFrame({"member": ["m1", "m2"], "age": list(ages)}).to_csv(members, index=False)
        shop.ingest()
        found.append(read_json(shop.settings.work.data / "ingest.json"))
    first, second = found
    assert first["fingerprint"] == second["fingerprint"]
    assert first["shoppers_fingerprint"] != second["shoppers_fingerprint"]
