"""The command tree. Commands import what they need when they run, so that `--help` answers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer

from pipelines.cli import batch, building, experiment, flows, letters, promotion, reading, release, running, watching
from pipelines.cli.failure import guarded

COMMANDS: dict[str, tuple[Callable[..., Any], ...]] = {
    "Everything at once": (running.run,),
    "Build, step by step": (
        building.ingest,
        building.features,
        building.examples,
        building.train_gbm,
        building.train_neural,
        building.train,
        building.evaluate,
        building.register,
        building.trial,
        promotion.promote,
        promotion.rollback,
        building.materialize,
    ),
    "Apply to cases of your own": (batch.recommend, batch.cases),
    "Run": (running.up, running.down, running.serve, running.consume, running.record, running.follow),
    "Look": (
        reading.status,
        reading.lineage,
        watching.monitor,
        watching.incidents,
        reading.replay,
        reading.simulate,
    ),
}
GROUPS: dict[str, tuple[str, tuple[Callable[..., Any], ...]]] = {
    "dead-letters": ("Look at calls and events that could not be taken, and try them again.", letters.COMMANDS),
    "flows": ("Run ingest, materialize, retrain, monitor and compact on their schedules.", flows.COMMANDS),
    "experiment": ("Look at what the arms of an experiment changed.", experiment.COMMANDS),
    "release": ("Let a new version come to serve everybody step by step, or stop it.", release.COMMANDS),
}
"""Commands with commands of their own: what each is for, and what it has."""


def command_tree() -> typer.Typer:
    """Return the whole `tillwise` command."""
    app = typer.Typer(
        name="tillwise",
        help="Add-on recommendations for the checkout page: build a model from a shop's orders, serve it, watch it.\n\n"
        "`tillwise run` does everything. Settings are listed in configs/settings.py; a variable such as "
        "TILLWISE_SERVING__PORT=3001 overrides one.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    for panel, commands in COMMANDS.items():
        for command in commands:
            app.command(rich_help_panel=panel)(guarded(command))
    for name, (purpose, commands) in GROUPS.items():
        group = typer.Typer(help=purpose, no_args_is_help=True)
        for command in commands:
            group.command(name=command.__name__.removesuffix("_letters").removesuffix("_release"))(guarded(command))
        app.add_typer(group, name=name, rich_help_panel="Look")
    return app
