"""Pictures of an evaluation, drawn from `evaluation.json` alone. Matplotlib is imported where it draws only.

Colours are those of Okabe and Ito 2008, which colour-blind readers can tell apart; the model is always the same blue.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.home import replace_directory
from training.evaluation.arms import MODEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#7F7F7F"
SLICED = {"repeat": "hidden product", "cart_size": "products in the cart", "history_length": "orders before"}
LABEL = {"hit_rate": "hit rate", "ndcg": "NDCG"}
VARIANT = {"loo": "one product hidden", "hide30": "30 % of the basket hidden"}
FEWEST = 30
"""Groups of fewer cases are not drawn: their intervals would span the picture and say nothing."""

STYLE: dict[Any, Any] = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 12,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "savefig.dpi": 150,
}


def draw_all(evaluation: Mapping[str, Any], folder: Path) -> list[str]:
    """Draw every picture that the evaluation holds figures for into `folder`, replacing it; return the file names."""
    import matplotlib as mpl
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawn = []
    with replace_directory(folder) as target, mpl.rc_context(STYLE):
        for name, draw in PLOTS.items():
            figure = Figure(layout="constrained")
            FigureCanvasAgg(figure)  # no window system, no global state of pyplot
            if draw(figure, evaluation):
                figure.savefig(target / f"{name}.png")
                drawn.append(f"{name}.png")
    return drawn


def _hit_rates(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw each arm's hit rate with its interval, one panel a variant."""
    variants = evaluation["variants"]
    arms = sorted(variants["loo"]["arms"], key=lambda arm: variants["loo"]["arms"][arm]["hit_rate"]["value"])
    figure.set_size_inches(10, 1.6 + 0.42 * len(arms))
    panels = figure.subplots(1, len(variants), sharey=True, squeeze=False)[0]
    for axes, (variant, result) in zip(panels, variants.items(), strict=True):
        _intervals(axes, [result["arms"][arm]["hit_rate"] for arm in arms], [_colour(arm) for arm in arms])
        axes.set_title(f"{VARIANT.get(variant, variant)} ({result['cases']:,} baskets)")
        axes.set_xlabel(f"hit rate at {evaluation['k']}, 95 % interval over shoppers")
        axes.set_xlim(left=0)
    panels[0].set_yticks(range(len(arms)), [_plain(arm) for arm in arms])
    return True


def _slices(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw the model next to the best other arm in each group of three groupings."""
    result = evaluation["variants"]["loo"]
    other = best_other(result)
    shown = {name: groups for name in SLICED if (groups := _large(result["slices"].get(name, {})))}
    if other is None or not shown:
        return False
    figure.set_size_inches(11, 4)
    widths = [max(2.5, len(groups)) for groups in shown.values()]
    panels = figure.subplots(1, len(shown), sharey=True, width_ratios=widths, squeeze=False)[0]
    for axes, (name, groups) in zip(panels, shown.items(), strict=True):
        for arm, colour, marker, shift in ((MODEL, BLUE, "o", -0.1), (other, ORANGE, "s", 0.1)):
            found = [group["hit_rate"][arm] for group in groups.values()]
            _bars(axes, found, colour, shift=shift, marker=marker, label=_plain(arm))
        axes.set_xticks(range(len(groups)), [f"{label}\nn={group['cases']:,}" for label, group in groups.items()])
        axes.set_xlim(-0.5, len(groups) - 0.5)
        axes.set_xlabel(SLICED[name])
        axes.grid(axis="y")
        axes.set_ylim(bottom=0)
    figure.axes[0].set_ylabel(f"hit rate at {evaluation['k']}")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    figure.suptitle("The model and the best other arm, by group of baskets", x=0.01, ha="left")
    return True


def _differences(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw the paired differences of the model from each other arm as a forest."""
    rows = [
        (f"{name}, {VARIANT.get(variant, variant)}", arm, found)
        for variant, result in evaluation["variants"].items()
        for metric, name in LABEL.items()
        for arm, metrics in result["paired"].items()
        if (found := metrics.get(metric))
    ]
    if not rows:
        return False
    figure.set_size_inches(9.5, 1.4 + 0.42 * len(rows))
    axes = figure.subplots()
    figures = [{"value": found["difference"], "ci95": found["ci95"]} for _, _, found in reversed(rows)]
    _intervals(axes, figures, [BLUE if found["ci95"][0] > 0 else GREY for _, _, found in reversed(rows)])
    axes.axvline(0, color="black", linewidth=1)
    axes.set_yticks(range(len(rows)), [f"{_plain(arm)}\n{what}" for what, arm, _ in reversed(rows)], fontsize=9)
    right = max(figure_["ci95"][1] for figure_ in figures)
    for place, (_, _, found) in enumerate(reversed(rows)):
        axes.text(right * 1.06, place, _p_value(found["p_holm"]), va="center", fontsize=9, color="#444444")
    axes.set_xlim(right=max(right * 1.28, axes.get_xlim()[1]))
    axes.set_xlabel("model less the other arm on the same baskets, 95 % interval; p after Holm")
    axes.set_title("How far the model leads")
    return True


def _reliability(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw what probabilities promise against what happened, of the variant with one product hidden."""
    found = evaluation["variants"]["loo"]["calibration"]
    if not found:
        return False
    figure.set_size_inches(5.5, 5)
    axes = figure.subplots()
    for (arm, curve), colour in zip(found.items(), (BLUE, ORANGE, GREEN, GREY), strict=False):
        points = [(point["predicted"], point["observed"]) for point in curve["curve"]]
        label = f"{_plain(arm)} (ECE {curve['ece']:.4f}, {curve['pairs']:,} pairs)"
        axes.plot(*zip(*points, strict=True), marker="o", markersize=4, color=colour, label=label)
    end = max(*axes.get_xlim(), *axes.get_ylim())
    axes.plot([0, end], [0, end], color="black", linewidth=1, linestyle="--", label="as promised")
    axes.set(xlim=(0, end), ylim=(0, end), aspect="equal", title="Do probabilities mean what they say?")
    axes.set(xlabel="predicted probability", ylabel="share taken")
    axes.grid()
    axes.legend(loc="upper left", fontsize=9)
    return True


def _candidates(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw how many hidden products candidate generation holds, together and by generator."""
    figure.set_size_inches(10, 3.4)
    variants = evaluation["variants"]
    panels = figure.subplots(1, len(variants), sharey=True, squeeze=False)[0]
    names = ["all together", *(_plain(name) for name in variants["loo"]["candidates"]["by_generator"])][::-1]
    for axes, (variant, result) in zip(panels, variants.items(), strict=True):
        found = result["candidates"]
        rows = [{**found, "only": 0.0}, *found["by_generator"].values()][::-1]
        axes.barh(range(len(rows)), [row["recall"] for row in rows], color=BLUE, label="found")
        axes.barh(range(len(rows)), [row["only"] for row in rows], color=ORANGE, label="found by it alone")
        for place, row in enumerate(rows):
            text = f"{row['recall']:.1%} with {row['mean']:.0f} candidates"
            axes.text(row["recall"] + 0.01, place, text, va="center", fontsize=9)
        axes.set(
            xlim=(0, 1), title=VARIANT.get(variant, variant), xlabel="share of hidden products among the candidates"
        )
        axes.grid(axis="x")
    panels[0].set_yticks(range(len(names)), names)
    panels[-1].legend(loc="lower right")
    return True


def _audit(figure: Figure, evaluation: Mapping[str, Any]) -> bool:
    """Draw quality and exposure of every group that the audit judged, as ratios beside their limits."""
    rows = [
        (f"{_plain(name)}: {label}", group)
        for name, grouping in evaluation["audit"]["groups"].items()
        for label, group in grouping["by_group"].items()
        if group["judged"]
    ][::-1]
    if not rows:
        return False
    figure.set_size_inches(10.5, 1.6 + 0.26 * len(rows))
    panels = figure.subplots(1, 2, sharey=True)
    titles = {"hit_rate": "hit rate, over everybody's", "exposure": "exposure, over what is due"}
    for axes, (measure, title) in zip(panels, titles.items(), strict=True):
        found = [group[measure] for _, group in rows]
        ratios = [
            {"value": item["ratio"] or 0.0, "ci95": [bound or 0.0 for bound in item["ratio_ci95"]]} for item in found
        ]
        _intervals(axes, ratios, [ORANGE if item["short"] else BLUE for item in found])
        limits = [(item["limit"], place) for place, item in enumerate(found) if item["limit"] is not None]
        axes.plot(*(np.array(limits).reshape(-1, 2).T), "|", color="black", markersize=9, label="least that is allowed")
        axes.axvline(1, color="black", linewidth=1, linestyle="--")
        axes.set(title=title, xlabel="ratio, 95 % interval over shoppers", xlim=(0, None))
    panels[0].set_yticks(range(len(rows)), [label for label, _ in rows])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right")
    return True


PLOTS: dict[str, Callable[[Any, Mapping[str, Any]], bool]] = {
    "hit_rate_by_arm": _hit_rates,
    "model_by_slice": _slices,
    "paired_differences": _differences,
    "reliability": _reliability,
    "candidate_recall": _candidates,
    "audit": _audit,
}
"""File name → what draws it; False means that there is nothing to draw."""


def best_other(result: Mapping[str, Any]) -> str | None:
    """Return the arm with the highest hit rate but for the model, of one variant; None if there is no other."""
    others = {arm: metrics["hit_rate"]["value"] for arm, metrics in result["arms"].items() if arm != MODEL}
    return max(others, key=others.__getitem__) if others else None


def _large(groups: Mapping[str, Any]) -> dict[str, Any]:
    return {label: group for label, group in groups.items() if group["cases"] >= FEWEST}


def _intervals(axes: Axes, figures: Sequence[Mapping[str, Any]], colours: Sequence[str]) -> None:
    for place, (found, colour) in enumerate(zip(figures, colours, strict=True)):
        (low, high), value = found["ci95"], found["value"]
        axes.errorbar(value, place, xerr=[[value - low], [high - value]], fmt="o", color=colour, capsize=3)
    axes.set_ylim(-0.6, len(figures) - 0.4)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x")


def _bars(
    axes: Axes, figures: Sequence[Mapping[str, Any]], colour: str, *, shift: float, marker: str, label: str
) -> None:
    value = [figure["value"] for figure in figures]
    below = [figure["value"] - figure["ci95"][0] for figure in figures]
    above = [figure["ci95"][1] - figure["value"] for figure in figures]
    places = [place + shift for place in range(len(figures))]
    axes.errorbar(places, value, yerr=[below, above], fmt=marker, color=colour, capsize=3, label=label)


def _colour(arm: str) -> str:
    return BLUE if arm == MODEL else GREY


def _plain(arm: str) -> str:
    return arm.replace("_", " ")


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
