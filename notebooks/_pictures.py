"""Kinds of pictures that the notebooks draw more than once or that would hide the thought if they stood there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from _notes import BLUE, COLOURS, GREY, ORANGE
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray
from scipy.stats import rankdata

from training.evaluation.calibration import Calibration
from training.evaluation.significance import Mean

Floats = NDArray[np.float64]


def intervals(axes: Axes, found: Sequence[Mean], *, places: Floats, colour: str, marker: str, label: str) -> None:
    """Draw figures with their intervals as a column of dots, one at each height, beside a line at 0."""
    value = np.array([mean.value for mean in found])
    error = [value - [mean.low for mean in found], [mean.high for mean in found] - value]
    axes.axvline(0, color="black", linewidth=1)
    axes.errorbar(value, places, xerr=error, fmt=marker, color=colour, capsize=3, label=label)
    axes.grid(axis="x")


def swarm(axes: Axes, x: Floats, value: Floats, height: float, rng: np.random.Generator) -> PathCollection:
    """Draw points at `x` around a height, side by side where many are alike, shaded by the rank of `value`."""
    bins = np.clip((x - x.min()) / max(float(np.ptp(x)), 1e-9) * 80, 0, 80).astype(int)
    beside = np.zeros(x.size)
    for one in np.unique(bins):
        here = rng.permutation(np.flatnonzero(bins == one))
        beside[here] = np.arange(here.size) - (here.size - 1) / 2
    y = height + 0.38 * beside / max(float(np.abs(beside).max()), 8.0)
    known = ~np.isnan(value)
    axes.scatter(x[~known], y[~known], s=6, color="#BBBBBB", linewidths=0)
    shade = (rankdata(value[known]) - 1) / max(1, known.sum() - 1)
    return axes.scatter(x[known], y[known], s=6, c=shade, cmap="cividis", vmin=0, vmax=1, linewidths=0)


def waterfall(axes: Axes, steps: Sequence[tuple[str, float]]) -> None:
    """Draw named steps from 0 upwards, the first at the bottom, each beginning where the one below it ends."""
    ends = np.cumsum([step for _, step in steps])
    for place, ((_, step), end) in enumerate(zip(steps, ends, strict=True)):
        axes.barh(place, step, left=end - step, color=BLUE if step > 0 else ORANGE)
        axes.text(max(end, end - step), place, f" {step:+.2f}", va="center", fontsize=9)
        axes.plot([end, end], [place, min(place + 1, len(steps) - 1)], color=GREY, linewidth=0.8)
    axes.axvline(0, color="black", linewidth=1)
    axes.axvline(ends[-1], color=GREY, linewidth=1, linestyle="--")
    axes.margins(x=0.08)
    axes.set_yticks(range(len(steps)), [name for name, _ in steps], fontsize=8.5)


def shares(axes: Axes, rows: Mapping[str, Floats], parts: Sequence[str]) -> None:
    """Draw rows of shares that add up to 1 as stacked bars, the first row on top."""
    shades, left = colormaps["cividis"](np.linspace(0, 0.95, len(parts))), np.zeros(len(rows))
    for number, part in enumerate(parts):
        width = np.array([share[number] for share in rows.values()])
        axes.barh(range(len(rows)), width, left=left, color=shades[number], label=part)
        for row, (start, share) in enumerate(zip(left, width, strict=True)):
            if share > 0.035:
                ink = "white" if number < len(parts) / 2 else "black"
                axes.text(start + share / 2, row, f"{share:.0%}", ha="center", va="center", color=ink)
        left = left + width
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlim(0, 1)
    axes.invert_yaxis()


def promises(axes: Axes, here: Calibration, curves: Mapping[str, tuple[Floats, Floats]]) -> None:
    """Draw named (predicted, observed) curves; the first is that of `here` and gets intervals (normal, 95 %)."""
    spread = 1.96 * np.sqrt(here.observed * (1 - here.observed) / here.count)
    axes.errorbar(here.predicted, here.observed, yerr=spread, fmt="none", color=BLUE, capsize=3, label="95 % interval")
    for (name, (predicted, observed)), colour, marker in zip(curves.items(), (BLUE, ORANGE), "os", strict=False):
        axes.plot(predicted, observed, marker=marker, color=colour, label=name)
    end = max(*axes.get_xlim(), *axes.get_ylim())
    axes.plot([0, end], [0, end], color="black", linewidth=1, linestyle="--", label="as promised")
    axes.set(xlim=(0, end), ylim=(0, end), xlabel="predicted probability", ylabel="share taken", aspect="equal")
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
    axes.grid()
    axes.legend(loc="upper left")


def kinds(axes: Axes, spot: Floats, kind: NDArray[np.int32], names: Mapping[int, str]) -> None:
    """Draw float64[points, 2] with a colour and a marker for each named kind, grey for the others."""
    rest = ~np.isin(kind, list(names))
    axes.scatter(*spot[rest].T, s=12, color="#CCCCCC", label="others")
    for (one, name), colour, marker in zip(names.items(), COLOURS, "os^DvPXd", strict=False):
        chosen = kind == one
        if chosen.any():
            axes.scatter(*spot[chosen].T, s=14, color=colour, marker=marker, alpha=0.75, linewidths=0, label=name)


def ordinal(number: int) -> str:
    """Return 1st, 2nd, 3rd, …"""
    ending = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def spoken(value: float) -> str:
    """Return a feature's value for a person."""
    return "unknown" if np.isnan(value) else f"{value:.3g}"
