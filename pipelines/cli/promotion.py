"""The commands that decide which model serves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from configs import Settings, load_settings
from pipelines.cli.output import Json, console_for, print_json
from pipelines.cli.trying import try_first

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.build import Outcome


def promote(
    number: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Registered version to promote; the newest if not given.")
    ] = None,
    version: Annotated[str | None, typer.Option(metavar="N", help="The same as VERSION.")] = None,
    alias: Annotated[
        str, typer.Option("--to", "--alias", help="Alias to move: `champion` serves, `challenger` is tried.")
    ] = "champion",
    force: Annotated[
        bool, typer.Option("--force", help="Promote although the gate refuses; needs --why, which is recorded.")
    ] = False,
    why: Annotated[str | None, typer.Option(help="Reason to record with the decision.")] = None,
    as_json: Json = False,
) -> None:
    """Let a registered model version serve, if it passes the gate, and show what the gate looked at.

    Without options this builds, evaluates, registers and tries what changed, then promotes the newest version. With
    them only the trial through a real service comes first, if that version never had one. Exit code 0: the alias is
    moved; 1: it is not, and a sentence says why. The verdict is kept with the version in the registry, and in
    var/reports/gate.json.
    """
    if force and not why:
        raise typer.BadParameter("--force overrides the gate, so it needs --why.", param_hint="--why")
    if number and version and number != version:
        raise typer.BadParameter(f"VERSION is {number} and --version {version}: name one.", param_hint="VERSION")
    from configs.errors import PromotionError
    from training.verdicts import newest_verdict

    settings, console, refusal, outcomes = load_settings(), console_for(as_json), None, []
    before = newest_verdict(settings.work)
    try:
        outcomes = _promoted(settings, console, version or number, {"alias": alias, "force": force, "why": why})
    except PromotionError as error:
        refusal = error
    verdict = newest_verdict(settings.work)
    if as_json:
        stages = [outcome.as_dict() for outcome in outcomes]
        said = None if refusal is None else str(refusal)
        print_json({"promoted": refusal is None, "said": said, "verdict": verdict, "stages": stages})
    elif verdict is not None and (refusal is None or verdict != before):
        from pipelines.verdict_table import verdict_table

        console.print(verdict_table(verdict))
    if refusal is not None:
        raise refusal


def _promoted(settings: Settings, console: Console, version: str | None, how: dict[str, Any]) -> list[Outcome]:
    """Build what is out of date, or try one version by itself, and promote; return what was done."""
    from pipelines.build import build, run_alone
    from pipelines.live_display import display_for

    display = display_for(console)
    if version is None and how == {"alias": "champion", "force": False, "why": None}:
        return build(settings, "promote", display)
    tried = try_first(settings, display, version)
    return [*tried, run_alone(settings, "promote", display, {"version": version} | how)]


def rollback(
    why: Annotated[str | None, typer.Option(help="What is wrong with the present version; it is recorded.")] = None,
    alias: Annotated[str, typer.Option(help="Alias that is moved back.")] = "champion",
    as_json: Json = False,
) -> None:
    """Let the version serve again that the present one took over from; replicas follow within seconds.

    Said again, it goes back further. Who did it, when and why is recorded in the registry.
    """
    from pipelines.build import run_alone
    from pipelines.live_display import display_for
    from pipelines.stages import ON_DEMAND

    arguments = {"why": why, "alias": alias}
    done = run_alone(load_settings(), "rollback", display_for(console_for(as_json)), arguments, ON_DEMAND)
    if as_json:
        print_json(done.as_dict())
