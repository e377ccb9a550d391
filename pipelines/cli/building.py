"""Commands that bring one stage, and what it rests on, up to date."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from configs import load_settings
from configs.home import read_json
from pipelines.cli.dates import AsOf, Until, with_windows
from pipelines.cli.output import Json, console_for, print_json

Force = Annotated[bool, typer.Option("--force", help="Run the stage again even if nothing it depends on changed.")]


def ingest(until: Until = None, force: Force = False, as_json: Json = False) -> None:
    """Read the shop's data, validate them, and write clean contract tables and a quarantine.

    Which data: the setting `dataset`, a mapping in configs/datasets or a path to your own.
    Rejected rows are counted by reason and kept in var/data/quarantine.
    """
    _build("ingest", force, as_json, with_windows(until))


def features(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Fold the order history into point-in-time features for training and serving.

    Ingests first if that is missing or out of date.
    """
    _build("features", force, as_json, with_windows(until, as_of))


def examples(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Train the encoder and write the examples that both rankers learn from.

    The first step of `tillwise train`. Brings data and features up to date first.
    """
    _build("examples", force, as_json, with_windows(until, as_of))


def train_gbm(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Grow the trees, the ranker of LightGBM, on the examples.

    A step of `tillwise train`. Brings the examples up to date first.
    """
    _build("train_gbm", force, as_json, with_windows(until, as_of))


def train_neural(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Train the network, the ranker of PyTorch, on the examples.

    A step of `tillwise train`. Brings the examples up to date first.
    """
    _build("train_neural", force, as_json, with_windows(until, as_of))


def train(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Train the rankers on past baskets with a part hidden, and package the model in var/model.

    Its steps are `examples`, `train-gbm`, `train-neural` and packaging; only those run whose inputs changed, all of
    them with --force. Brings data and features up to date first.
    """
    _build("package", force, as_json, with_windows(until, as_of))


def evaluate(until: Until = None, as_of: AsOf = None, force: Force = False, as_json: Json = False) -> None:
    """Compare the model with simpler ways to recommend on held-out baskets, audit it for bias, and show both tables.

    Brings the model up to date first. The result lies in var/reports: evaluation.json, model_card.md and plots.
    The baskets are those of the days after the model's cutoff: after --as-of DATE, else the newest ones. With --until
    alone none are left; with both, an older model is judged on days before --until.
    """
    from pipelines.audit_table import audit_table
    from pipelines.evaluation_table import evaluation_table

    _build("evaluate", force, as_json, with_windows(until, as_of))
    if not as_json:
        report = read_json(load_settings().work.reports / "evaluation.json")
        console_for(as_json).print(evaluation_table(report), audit_table(report["audit"]))


def register(force: Force = False, as_json: Json = False) -> None:
    """Log the newest model and its evaluation to MLflow, and register it as a version.

    Brings the evaluation up to date first.
    """
    _build("register", force, as_json)


def trial(
    version: Annotated[
        str | None, typer.Argument(metavar="[VERSION]", help="Registered version to try; the newest if not given.")
    ] = None,
    force: Force = False,
    as_json: Json = False,
) -> None:
    """Play held-out baskets through a real service of its own that serves the model, before anybody else is served.

    Redis, consumer and service run on free ports and end with it. The gate of `promote` reads what it found:
    var/reports/trial.json, kept with the version in the registry.
    """
    if version is None:
        _build("trial", force, as_json)
        return
    from pipelines.build import run_alone
    from pipelines.live_display import display_for

    done = run_alone(load_settings(), "trial", display_for(console_for(as_json)), {"version": version})
    if as_json:
        print_json([done.as_dict()])


def materialize(force: Force = False, as_json: Json = False) -> None:
    """Write the newest features to Redis, where the service reads them.

    Needs a running Redis (`tillwise up` starts one and does this by itself).
    """
    _build("materialize", force, as_json)


def _build(target: str, force: bool, as_json: bool, overrides: dict[str, Any] | None = None) -> None:
    from pipelines.build import build
    from pipelines.live_display import display_for

    outcomes = build(load_settings(**(overrides or {})), target, display_for(console_for(as_json)), force=force)
    if as_json:
        print_json([outcome.as_dict() for outcome in outcomes])
