"""The options that choose the day up to which a model may know anything."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import typer


def read_day(text: str) -> date:
    """Return the day that YYYY-MM-DD names.

    Raises:
        BadParameter: it names none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no date: write it as 2024-05-31.") from None


Until = Annotated[
    date | None,
    typer.Option(
        metavar="DATE",
        parser=read_day,
        help="Build as if DATE (YYYY-MM-DD, in the shop's time zone) were today: orders from its midnight on are left "
        "out of the data. Give the same to every step.",
    ),
]
AsOf = Annotated[
    date | None,
    typer.Option(
        metavar="DATE",
        parser=read_day,
        help="Let the model know nothing from the midnight of DATE on, but keep later orders for evaluation on the "
        "days after it and as the past of later cases. Give the same to every step.",
    ),
]


def with_windows(until: date | None = None, as_of: date | None = None) -> dict[str, Any]:
    """Return the overrides for `load_settings` that the options stand for; those not given change nothing."""
    given = {"until": until, "as_of": as_of}
    windows = {name: day.isoformat() for name, day in given.items() if day is not None}
    return {"windows": windows} if windows else {}
