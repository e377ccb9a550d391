"""An evaluation's figures as a table for a person."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

MODEL = "model"


def evaluation_table(report: Mapping[str, Any]) -> RenderableType:
    """Return the content of evaluation.json as a table, one product hidden in each basket, with its caption below."""
    result = report["variants"]["loo"]
    title = f"{result['cases']:,} held-out baskets of {result['shoppers']:,} shoppers, one product of each hidden"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("arm", min_width=10)
    for heading in (f"HR@{report['k']}", "NDCG", "MRR", "repeat", "new", "value", "cover", "model leads", "p"):
        table.add_column(heading, justify="right", no_wrap=True)
    for arm, figures in result["arms"].items():
        table.add_row(
            arm.replace("_", " "),
            _with_margin(figures["hit_rate"]),
            *(_number(figures.get(name)) for name in ("ndcg", "mrr", "repeat", "new", "value_weighted")),
            _number(figures["coverage"], ".1%"),
            *_lead(result["paired"].get(arm)),
            style="bold" if arm == MODEL else None,
        )
    return Group(table, Text(_ceiling(report)), Text(_caption(report), style="dim"))


def _ceiling(report: Mapping[str, Any]) -> str:
    found = report["variants"]["loo"]["candidates"]
    return (
        f"The model chooses from {found['mean']:.0f} candidates a basket, which hold {found['recall']:.1%} of the "
        "hidden products: no ranking of them can do better."
    )


def _caption(report: Mapping[str, Any]) -> str:
    times = "first look" if report["evaluated"] == 1 else f"look number {report['evaluated']}"
    return (
        "HR: hit rate; repeat, new: of hidden products that the shopper had or had not bought before; value: weighted "
        "by price; cover: share of the catalogue shown. ± is half the 95 % interval over shoppers, p by sign flips "
        f"over shoppers, after Holm. This was the {times} at the test window with this model."
    )


def _with_margin(figure: Mapping[str, Any]) -> str:
    return f"{_short(figure['value'])} {_margin(figure['ci95'])}"


def _lead(paired: Mapping[str, Any] | None) -> tuple[str, str]:
    if paired is None:
        return "", ""
    found = paired["hit_rate"]
    return f"{_short(found['difference'], '+.3f')} {_margin(found['ci95'])}", _p_value(found["p_holm"])


def _p_value(p: float) -> str:
    return "<.001" if p < 0.001 else _short(p)


def _margin(bounds: Sequence[float]) -> str:
    return f"±{_short((bounds[1] - bounds[0]) / 2)}"


def _number(figure: Mapping[str, Any] | None, form: str = ".3f") -> str:
    return "–" if figure is None or figure["value"] is None else _short(figure["value"], form)


def _short(value: float, form: str = ".3f") -> str:
    """Return a share without the zero before its point: ten columns have to fit a terminal of 80 characters."""
    return re.sub(r"^([+-]?)0\.(?=\d{2})", r"\1.", format(value, form))
