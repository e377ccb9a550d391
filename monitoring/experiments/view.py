"""An experiment's report as tables for a person."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

COLOURS = {"higher": "green", "lower": "red", "broken": "red", "ok": "green"}
AS_SHARE = ("attach_rate", "people_attaching", "click_rate", "fallback_share")
UNKNOWN = "–"
COVERED = 0.5
"""With less of what would be shown ever tried, nothing is told."""


def report_screen(report: Mapping[str, Any]) -> RenderableType:
    """Return the content of experiment.json: effects, guardrails, what exploration tells, and how to read them."""
    parts: list[RenderableType] = [_summary(report), _effects(report), _guardrails(report)]
    if report["exploration"]:
        parts.append(_exploration(report))
    return Group(*parts, Text(_caption(report), style="dim"))


def _summary(report: Mapping[str, Any]) -> RenderableType:
    split = report["split"]
    people = ", ".join(f"{arm} {count:,}" for arm, count in split["people"].items())
    lines = [
        Text(
            f"{report['requests']:,} requests of {report['people']:,} people from {report['first_exposure_at']} to "
            f"{report['last_exposure_at']}."
        )
    ]
    if not split["trusted"]:
        planned = ", ".join(f"{arm} {share:.1%}" for arm, share in split["expected"].items())
        lines.append(
            Text(
                f"DO NOT TRUST THIS REPORT: people did not split as planned ({people}; planned {planned}; p = "
                f"{split['p']:.2g}). The assignment, or the record of it, is broken: find out why before reading on.",
                style="bold red",
            )
        )
    else:
        lines.append(Text(f"People split as planned: {people} (p = {split['p']:.2g})."))
    if report["people_in_several_arms"]:
        lines.append(
            Text(f"{report['people_in_several_arms']:,} people were shown more than one arm, and are left out below.")
        )
    return Group(*lines)


def _effects(report: Mapping[str, Any]) -> Table:
    table = Table(title=f"Experiment {report['experiment']}", title_justify="left")
    for heading in ("figure", "arm", "value [95 %]", "change [95 %]", "relative [95 %]", "always valid", "p", "so far"):
        table.add_column(heading, justify="left" if heading in {"figure", "arm", "so far"} else "right")
    for name in next(iter(report["arms"].values()))["metrics"]:
        for place, (arm, figures) in enumerate(report["arms"].items()):
            found = figures["metrics"][name]
            value = f"{_number(found['value'], name)} {_interval(found['ci95'], name)}"
            label = "" if place else name.replace("_", " ")
            table.add_row(label, arm, value, *_change(found["effect"], name, arm == report["control"]))
        table.add_section()
    return table


def _change(effect: Mapping[str, Any] | None, name: str, control: bool) -> tuple[Text | str, ...]:
    if effect is None:
        return "", "", "", "", Text("control" if control else "too few people", style="dim")
    return (
        f"{_number(effect['absolute'], name, '+')} {_interval(effect['ci95'], name)}",
        f"{_percent(effect['relative'])} {_percents(effect['relative_ci95'])}",
        _interval(effect["always_valid"], name),
        f"{effect['p']:.3f}" if effect["p"] >= 0.001 else "< 0.001",
        Text(effect["verdict"], style=COLOURS.get(effect["verdict"], "")),
    )


def _guardrails(report: Mapping[str, Any]) -> Table:
    table = Table(title="Guardrails", title_justify="left")
    for heading in ("arm", "guardrail", "found", "limit", "verdict"):
        table.add_column(heading, justify="right" if heading in {"found", "limit"} else "left")
    for arm, figures in report["arms"].items():
        for place, (name, rail) in enumerate(figures["guardrails"].items()):
            found, limit = _rail(name, rail)
            verdict = Text(rail["verdict"], style=COLOURS.get(rail["verdict"], ""))
            table.add_row("" if place else arm, name.replace("_", " "), found, limit, verdict)
    return table


def _rail(name: str, rail: Mapping[str, Any]) -> tuple[str, str]:
    if rail["at_least"]:
        return f"{_percent(rail['figure'])} of control", f"at least {rail['limit']:+.1%}"
    return _number(rail["figure"], name), f"at most {_number(rail['limit'], name)}"


def _exploration(report: Mapping[str, Any]) -> Table:
    table = Table(title="Off-policy: attach rate of the places of chance, filled otherwise", title_justify="left")
    for heading in ("arm", "filled", "IPS [95 %]", "SNIPS [95 %]", "DR [95 %]", "clipped DR", "worth", "covered"):
        table.add_column(heading, justify="left" if heading in {"arm", "filled"} else "right")
    for arm, found in report["exploration"].items():
        table.add_row(arm, "as shown", _mean(found["as_shown"]), "", "", "", f"{found['places']:,}", "")
        if found["epsilon"] is None:
            table.add_row("", "never, always explore", "not told: the propensities are of no single epsilon up to 1/2")
        for name, policy in found["policies"].items():
            value = policy["value"]
            cells = [_mean(value[estimator]) for estimator in ("ips", "snips", "dr", "clipped_dr")]
            if policy["mean_weight"] < COVERED:  # what is left would be the reward model's guess
                cells = [UNKNOWN] * len(cells)
            table.add_row("", name, *cells, f"{policy['effective']:,.0f}", f"{policy['mean_weight']:.0%}")
    return table


def _caption(report: Mapping[str, Any]) -> str:
    shares = "" if report["shares_told"] else " No shares were told: equal ones are taken to be planned."
    off_policy = (
        " Off-policy: worth is how many places filled that way would tell as much, covered the mean weight: below 100 "
        f"% some of what would be shown there is never tried. Clipped: weights of at most {report['clip']:g}; IPS, "
        "SNIPS and DR as in monitoring/experiments/off_policy.py, intervals by a bootstrap over people."
    )
    return (
        f"A product counts if it was added or ordered within {report['attribution_minutes']:g} minutes, put down to "
        "the newest answer that showed it unless the event names one. 95 %: delta method over people, for one look "
        "that was planned. Always valid: holds however often one looks; p belongs to it, and so does the verdict "
        f"(alpha {report['alpha']:g}, shared among the arms, each figure by itself).{shares}"
        f"{off_policy if report['exploration'] else ''}"
    )


def _mean(mean: Mapping[str, Any]) -> str:
    if mean["value"] is None:
        return UNKNOWN
    return f"{mean['value']:.4f} [{mean['low']:.4f}, {mean['high']:.4f}]"


def _number(value: float | None, name: str, sign: str = "") -> str:
    if value is None:
        return UNKNOWN
    return f"{value:{sign}.2%}" if name in AS_SHARE else f"{value:{sign}.3f}"


def _interval(bounds: list[float | None], name: str) -> str:
    return UNKNOWN if None in bounds else f"[{', '.join(_number(bound, name) for bound in bounds)}]"


def _percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:+.1%}"


def _percents(bounds: list[float | None]) -> str:
    return UNKNOWN if None in bounds else f"[{', '.join(_percent(bound) for bound in bounds)}]"
