"""Commands that apply the model to files of cases."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from configs import load_settings
from pipelines.cli.dates import AsOf, Until, with_windows
from pipelines.cli.output import Json, console_for, print_json, print_line

Out = Annotated[Path, typer.Option(metavar="FILE", help="Parquet file to write; an existing one is replaced.")]


def recommend(
    cases: Annotated[Path, typer.Option(metavar="FILE", help="Parquet file of cases.")],
    out: Out,
    k: Annotated[int, typer.Option(min=1, help="Products for each case.")] = 10,
    as_json: Json = False,
) -> None:
    """Recommend products for each case of a Parquet file, with the model in var/model.

    A case is a shopper at a moment with a cart: case_id, shopper_id (may be null), at (UTC; taken as UTC if it has no
    time zone), cart (list of product ids, may be empty), and, if you like, channel. Nothing known after `at` is used:
    the shopper's past ends there, and the model may not be younger. Train one for older cases with
    `tillwise train --until DATE`.

    Written are case_id, rank (from 1), product_id, score and reason.

    Example: `tillwise cases --variant loo --out cases.parquet`, then
    `tillwise recommend --cases cases.parquet --k 10 --out recommendations.parquet`
    """
    arguments = {"cases": str(cases.resolve()), "out": str(out.resolve()), "k": k}
    _run("recommend", {}, arguments, out, as_json)


def cases(
    *,
    out: Out,
    variant: Annotated[
        Literal["loo", "hide30"], typer.Option(help="What is hidden of each basket: one product, or 30 % of it.")
    ] = "loo",
    hidden: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Parquet file to write what was hidden to: case_id, product_id.")
    ] = None,
    until: Until = None,
    as_of: AsOf = None,
    as_json: Json = False,
) -> None:
    """Write the held-out baskets that the model is evaluated on as cases for `tillwise recommend`.

    They are the orders of the evaluation window with a part hidden, case_id being the order's id.
    """
    arguments = {
        "variant": variant,
        "out": str(out.resolve()),
        "hidden": None if hidden is None else str(hidden.resolve()),
    }
    _run("cases", with_windows(until, as_of), arguments, out, as_json)


def _run(name: str, overrides: dict[str, Any], arguments: dict[str, Any], out: Path, as_json: bool) -> None:
    from pipelines.build import run_alone
    from pipelines.live_display import display_for
    from pipelines.stages import ON_DEMAND

    console = console_for(as_json)
    record = run_alone(load_settings(**overrides), name, display_for(console), arguments, ON_DEMAND).record
    if as_json:
        report = record.report
        cost = {"seconds": record.seconds, "peak_mb": record.peak_mb}
        print_json(report.read | report.wrote | cost | report.metrics | {"notes": report.notes})
    else:
        print_line(console, f"Written to {out}")
