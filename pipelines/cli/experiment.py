"""`tillwise experiment`: what the arms of an experiment changed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from configs import Settings, load_settings
from pipelines.cli.output import Json, console_for, print_json, print_line


def read_moment(text: str) -> datetime:
    """Return the moment that text names; a day is its midnight, and no zone is UTC.

    Raises:
        BadParameter: it names none.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no moment: write 2026-01-31 or 2026-01-31T09:00:00+01:00.") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def read_shares(text: str) -> dict[str, float]:
    """Return the shares by arm that text tells as NAME=SHARE,NAME=SHARE.

    Raises:
        BadParameter: it tells none, or a share that is not above 0.
    """
    try:
        pairs = [(name, float(share)) for name, _, share in (part.rpartition("=") for part in text.split(","))]
    except ValueError:
        pairs = []
    if not pairs or not all(name and 0 < share < float("inf") for name, share in pairs):
        raise typer.BadParameter(f"{text!r} tells no shares: write control=0.5,other=0.5.")
    total = sum(share for _, share in pairs)
    return {name: share / total for name, share in pairs}


Experiment = Annotated[
    str | None, typer.Option("--experiment", metavar="NAME", help="Which; the one shown last if not given.")
]
Since = Annotated[
    datetime | None,
    typer.Option(
        metavar="MOMENT",
        parser=read_moment,
        help="Leave out what was shown before; a day means its midnight (UTC). Choose it before you look at results.",
    ),
]
Control = Annotated[
    str | None,
    typer.Option(metavar="ARM", help="What the others are compared with; else the first of the experiments file."),
]
Shares = Annotated[
    dict[str, float] | None,
    typer.Option(
        metavar="ARM=SHARE,…",
        parser=read_shares,
        help="How people were to split; else as the experiments file says, else equally.",
    ),
]


def report(
    experiment: Experiment = None,
    since: Since = None,
    control: Control = None,
    shares: Shares = None,
    as_json: Json = False,
) -> None:
    """Compare the arms of an experiment by what people were shown and what came of it.

    Effects with intervals, a test that may be looked at as often as one likes, whether people split as planned,
    guardrails, and what never, always or otherwise exploring would have earned. Looking changes nothing.
    The report also goes to var/reports/experiment.json.
    """
    from monitoring.experiments import Question, report_path, write_report
    from monitoring.experiments.view import report_screen

    settings, console = load_settings(), console_for(as_json)
    planned = _planned(settings, experiment) or {}
    control, shares = control or next(iter(planned), None), shares or planned or None
    question = Question(experiment, None if since is None else since.timestamp(), control, shares)
    found = write_report(settings, question)
    if as_json:
        print_json(found)
    elif found is None:
        print_line(console, "No exposure of an experiment is recorded" + (" since then." if since else "."))
    else:
        console.print(report_screen(found))
        print_line(console, f"Written to {report_path(settings)}")


def _planned(settings: Settings, experiment: str | None) -> dict[str, float] | None:
    """Return the shares of the arms that are shown, the control first, if a file or a release is of the experiment."""
    from monitoring.release.history import shares_of
    from serving.experiments import read_experiment
    from training.aliases import FOLLOWED

    if settings.serving.experiments is None:
        return None if experiment is None else shares_of(settings, experiment)
    planned = read_experiment(settings.serving.experiments, aliases=FOLLOWED)
    if experiment not in (None, planned.name):
        return None
    return {arm.name: arm.share for arm in planned.arms if not arm.shadow}


COMMANDS: tuple[Callable[..., Any], ...] = (report,)
