"""Data set mappings: those shipped are valid; mistakes are named by file and key."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from configs import load_settings, mapping
from configs.dataset import FOLDER, DatasetConfig, load_dataset
from configs.errors import ConfigError

CORNER_SHOP = Path(__file__).parents[1] / "datasets" / "corner_shop.yaml"
Content = dict[str, Any]


def load(path: Path | str) -> DatasetConfig:
    """Load a mapping by name or path."""
    return load_dataset(load_settings(dataset=str(path)))


def products(content: Content) -> Content:
    """The product table's entry of a mapping."""
    entry: Content = content["tables"]["products"]
    return entry


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_mapping_fits_and_is_called_as_its_file(path: Path) -> None:
    assert load(path.stem).name == path.stem
    assert load(path.stem).origin == path


def test_a_mapping_anywhere_else_is_given_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(CORNER_SHOP.parent)

    dataset = load("corner_shop.yaml")

    assert (dataset.name, dataset.timezone, dataset.clock) == ("corner_shop", "Europe/Amsterdam", "historical")
    assert dataset.timestamps_in is None
    assert dataset.origin == CORNER_SHOP


def test_the_columns_to_read_are_those_mapped_and_those_rows_are_dropped_by() -> None:
    assert load(CORNER_SHOP).tables.products.source_columns() == [
        *("available", "department", "list_price", "maker", "maker_note", "name", "shelf", "sku")
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("timezone"), "timezone: Field required"),
        (lambda c: c.update(timezone="Mars/Olympus"), "no time zone is called 'Mars/Olympus'"),
        (lambda c: c.update(timestamps_in="../x"), "timestamps_in: no time zone is called '../x'"),
        (lambda c: c.update(clock="slow"), "clock: Input should be 'historical' or 'live' (found 'slow')"),
        (lambda c: c.update(colour="red"), "colour: Extra inputs are not permitted (found 'red')"),
        (lambda c: c["tables"].pop("orders"), "tables.orders: Field required"),
        (lambda c: products(c)["columns"].pop("title"), "tables.products.columns.title: Field required"),
        (lambda c: products(c)["columns"].update(cost="x"), "tables.products.columns.cost: Extra inputs"),
        (lambda c: products(c)["columns"].update(price=3), "tables.products.columns.price: expected the name of"),
        (
            lambda c: products(c)["columns"].update(price={"mean": ["a", "b"]}),
            "tables.products.columns.price: expected the name of a source column, {value: …}, {sum: [columns]}",
        ),
        (
            lambda c: products(c)["columns"].update(price={"ratio": ["a"]}),
            "tables.products.columns.price.ratio.1: Field required",
        ),
        (
            lambda c: c["tables"]["shoppers"]["columns"].update(sum={"sum": []}),
            "tables.shoppers.columns.sum.sum: Tuple should have at least 1 item",
        ),
        (lambda c: products(c).update(source={"file": "x"}), "tables.products.source: expected {path: FILE}"),
        (lambda c: products(c).update(source={"package": "x"}), "tables.products.source.path: Field required"),
        (lambda c: products(c).update(drop_where={"shelf": [1]}), "tables.products.drop_where.shelf.0"),
        (lambda c: c["tables"]["order_lines"].update(distinct=True), "tables.order_lines.distinct"),
    ],
)
def test_a_mistake_is_named_by_file_and_key(tmp_path: Path, change: Callable[[Content], Any], message: str) -> None:
    content = yaml.safe_load(CORNER_SHOP.read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")

    with pytest.raises(ConfigError) as error:
        load(path)

    assert str(path) in str(error.value)
    assert message in str(error.value)


def test_a_mistake_in_a_source_does_not_show_its_password(tmp_path: Path) -> None:
    content = yaml.safe_load(CORNER_SHOP.read_text(encoding="utf-8"))
    products(content)["source"] = {"url": "postgresql://shop:secret@db/shop", "tabel": "articles"}
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    with pytest.raises(ConfigError) as error:
        load(tmp_path / "mine.yaml")

    assert "tables.products.source.table: Field required" in str(error.value)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"), [("", "holds no keys"), ("a: [", "not valid YAML"), (b"\xff\xfe\x00", "not valid YAML")]
)
def test_a_file_that_is_no_mapping_is_one_clear_sentence(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)

    with pytest.raises(ConfigError, match=message):
        load(path)


def test_an_unknown_name_lists_the_known_ones_and_a_missing_file_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no supermarket\.yaml \(it has: .*complete_journey"):
        load("supermarket")
    with pytest.raises(ConfigError, match=r"names the file shops/none\.yaml, but there is none"):
        load("shops/none.yaml")


def test_a_loaded_mapping_cannot_be_changed_by_accident() -> None:
    dataset = load(CORNER_SHOP)

    with pytest.raises(ValueError, match="frozen"):
        dataset.clock = "live"
    assert copy.copy(dataset) == dataset


def test_every_key_of_a_mapping_is_explained_where_it_is_defined() -> None:
    models = [DatasetConfig, *(model for model in vars(mapping).values() if isinstance(model, type))]
    for model in models:
        if issubclass(model, BaseModel) and model is not BaseModel:
            for name, field in model.model_fields.items():
                by_its_class = isinstance(field.annotation, type) and issubclass(field.annotation, mapping.Part)
                assert field.description or by_its_class, f"{model.__name__}.{name}"


def test_the_example_in_the_documentation_is_a_valid_mapping() -> None:
    documentation = mapping.__doc__ or ""
    example = yaml.safe_load(documentation[documentation.index("    tables:") :])

    tables = mapping.Tables.model_validate(example["tables"])

    assert list(tables.mapped()) == ["products", "orders", "order_lines"]
    assert isinstance(tables.orders.source, mapping.SqlSource)
