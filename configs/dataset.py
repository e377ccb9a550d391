"""One shop's data set: `configs/datasets/NAME.yaml`, or a mapping of a shop's own anywhere else.

name: my_shop
title: My shop
timezone: Europe/Amsterdam
clock: live
timestamps_in: Europe/Amsterdam
tables: {products: …, orders: …, order_lines: …, shoppers: …}    # see configs/mapping.py
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, PrivateAttr, ValidationError

from configs.errors import ConfigError
from configs.mapping import COLUMN_KINDS, SOURCE_KINDS, Part, Tables
from configs.settings import Settings
from configs.yaml_file import read_mapping

FOLDER = Path(__file__).with_name("datasets")


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        raise ValueError(f"no time zone is called {name!r}; expected an IANA name such as Europe/Amsterdam") from None
    return name


Zone = Annotated[str, AfterValidator(_known_zone)]


class DatasetConfig(Part):
    """Who the shop is, and how its tables map onto the data contract."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="short name, for reports")
    title: str = Field(min_length=1, description="name for people")
    timezone: Zone = Field(description="IANA zone of the shop: its days and hours are the shoppers'")
    clock: Literal["historical", "live"] = Field(
        description="historical: the newest order plays the part of today; live: today is today"
    )
    timestamps_in: Zone | None = Field(
        default=None,
        description="IANA zone (such as UTC) of timestamps that carry none; null: all carry an offset. Where "
        "clocks were set back, the earlier moment is meant; a time that was skipped is moved to the next one",
    )
    tables: Tables

    _origin: Path = PrivateAttr(default=Path())

    @property
    def origin(self) -> Path:
        """The YAML file that this was read from, absolute; relative paths in it start at its folder."""
        return self._origin


def load_dataset(settings: Settings) -> DatasetConfig:
    """Return the mapping that `settings.dataset` names.

    Args:
        settings: `dataset` is the name of a file in configs/datasets, or the path of a YAML file (told by a
            slash, or by ending in .yaml or .yml), relative to the current folder.

    Raises:
        ConfigError: there is no such mapping, or it does not fit the schema; the message names file and key.
    """
    path = _path_of(settings.dataset)
    content = read_mapping(path, "Data set mapping", "name, title, timezone, clock and tables")
    try:
        dataset = DatasetConfig.model_validate(content)
    except ValidationError as error:
        problems = "; ".join(_problem(item) for item in error.errors())
        raise ConfigError(
            f"Data set mapping {path} does not fit: {problems}. "
            "Its keys are explained in configs/dataset.py and configs/mapping.py."
        ) from None
    dataset._origin = path.resolve()
    return dataset


def _path_of(dataset: str) -> Path:
    if "/" in dataset or dataset.endswith((".yaml", ".yml")):
        path = Path(dataset)
        if not path.is_file():
            raise ConfigError(
                f"Setting dataset names the file {dataset}, but there is none (looked from {Path.cwd()})."
            )
        return path
    path = FOLDER / f"{dataset}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.yaml"))) or "none"
        raise ConfigError(
            f"Setting dataset names {dataset!r}, but configs/datasets has no {dataset}.yaml "
            f"(it has: {known}). Give one of those names, or the path of a mapping of your own."
        )
    return path


def _problem(item: Mapping[str, Any]) -> str:
    # What was found is shown only when it is a plain value: a source may hold a password.
    found = item["input"]
    shown = f" (found {found!r})" if isinstance(found, bool | int | float | str) else ""
    message = item["msg"].removeprefix("Value error, ")
    return f"{_place(item['loc'])}: {message}{shown}"


def _place(location: tuple[str | int, ...]) -> str:
    """Join a location, without the kind that pydantic adds after `source` and after a contract column."""
    parts = [str(part) for part in location]
    kept = []
    for position, part in enumerate(parts):
        of_source = position > 0 and parts[position - 1] == "source" and part in SOURCE_KINDS
        of_column = position > 1 and parts[position - 2] == "columns" and part in ("column", *COLUMN_KINDS)
        if not (of_source or of_column):
            kept.append(part)
    return ".".join(kept)
