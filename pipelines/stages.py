"""The stage table: what is built, from what, and what makes it stale.

Functions are named as "module:function" and imported by the process that runs them only, so that reading the table
costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from configs.errors import ConfigError


@dataclass(frozen=True)
class Stage:
    """One step of the build.

    Attributes:
        name: what it is called in records, in dvc.yaml and by other stages.
        function: "module:function" of signature (Settings, Progress) -> StageReport.
        does: what it does, for displays.
        seconds: how long it took for the bundled data set on 2 cores; the first run's estimate starts from it.
        upstream: names of the stages whose results it reads.
        settings: sections, or single keys such as "dataset" and "windows.until", whose values change its result.
        outputs: what it leaves, relative to the work folder; when one is missing, the stage runs again.
        inputs: "module:function" of signature (Settings) -> str that fingerprints what it reads from outside.
        intact: "module:function" of signature (Settings) -> bool that says whether results that are more than
            the files in `outputs` are still there.
        steps: upstream stages that are steps of the same work: forced to run again, it runs them again as well.
        command: what `tillwise` calls it, where that is not its name.
        lock: what nobody else does meanwhile, in this work folder; None: build. It is held while the stage runs, also
            inside a build.
    """

    name: str
    function: str
    does: str
    seconds: float
    upstream: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    inputs: str | None = None
    intact: str | None = None
    steps: tuple[str, ...] = ()
    command: str | None = None
    lock: str | None = None


PROMOTIONS, STEPS_BACK, RELEASES = "promotions", "steps back", "releases"
"""Locks of what decides which model serves: not that of the build, since stepping back must wait neither for training
nor for a gate. `training.moving` sees to it that an alias is moved by one at a time."""

STAGES: tuple[Stage, ...] = (
    Stage(
        name="ingest",
        function="features.data.ingest:ingest",
        does="read and validate the shop's data",
        seconds=20,
        settings=("dataset", "ingest", "windows.until"),
        outputs=("data/ingest.json", "data/products.parquet", "data/orders.parquet", "data/order_lines.parquet"),
        inputs="features.data.fingerprint:source_fingerprint",
    ),
    Stage(
        name="features",
        function="features.offline:build_features",
        does="fold history into point-in-time features",
        seconds=50,
        upstream=("ingest",),
        settings=("windows", "features"),
        outputs=("features/features.json",),
    ),
    Stage(
        name="examples",
        function="training.stages.examples:examples",
        does="train the encoder and write what both rankers learn from",
        seconds=185,
        upstream=("features",),
        settings=(
            "windows",
            "features",
            "candidates",
            "encoder",
            "training.seed",
            "training.max_baskets",
            "training.hidden_share",
            "training.single_draws",
            "training.negatives_share",
            "training.validation_share",
            "feedback",
            "monitoring.attribution_minutes",
            "monitoring.attribution_touch",
        ),
        outputs=("training/examples",),
        inputs="training.feedback:feedback_fingerprint",
    ),
    Stage(
        name="train_gbm",
        function="training.stages.train_gbm:train_gbm",
        does="grow the trees",
        seconds=65,
        upstream=("examples",),
        settings=(
            "training.seed",
            "training.trees",
            "training.early_stopping_rounds",
            "training.learning_rate",
            "training.leaves",
            "training.min_data_in_leaf",
            "training.columns_share",
            "training.l2",
            "training.threads",
        ),
        outputs=("training/gbm",),
        command="train-gbm",
    ),
    Stage(
        name="train_neural",
        function="training.stages.train_neural:train_neural",
        does="train the network",
        seconds=20,
        upstream=("examples",),
        settings=("neural",),
        outputs=("training/neural",),
        command="train-neural",
    ),
    Stage(
        name="package",
        function="training.stages.package:package",
        does="blend both rankers, distil them and package the model",
        seconds=35,
        upstream=("examples", "train_gbm", "train_neural"),
        settings=("features", "candidates", "student", "ranking"),
        outputs=("model",),
        steps=("examples", "train_gbm", "train_neural"),
        command="train",
    ),
    Stage(
        name="evaluate",
        function="training.evaluation.stage:evaluate",
        does="compare the model with simpler arms on held-out baskets",
        seconds=50,
        upstream=("package",),
        settings=("windows", "evaluation"),
        outputs=("reports/evaluation.json", "reports/model_card.md", "reports/plots"),
    ),
    Stage(
        name="register",
        function="training.registry:register",
        does="log the model and its evaluation, and register a version",
        seconds=10,
        upstream=("evaluate",),
        settings=("registry",),
        intact="pipelines.intact:registry_is_there",
    ),
    Stage(
        name="trial",
        function="pipelines.trial:trial",
        does="play held-out baskets through a service of its own",
        seconds=50,
        upstream=("register",),
        settings=("registry.gate.trial_sessions", "serving"),
        outputs=("reports/trial.json",),
        intact="pipelines.intact:registry_is_there",
    ),
    Stage(
        name="promote",
        function="training.promotion:promote",
        does="let the new version serve, if it passes the gate",
        seconds=60,
        upstream=("trial",),
        settings=("registry",),
        intact="pipelines.intact:registry_is_there",
        lock=PROMOTIONS,
    ),
    Stage(
        name="materialize",
        function="features.store:materialize",
        does="write the newest features to Redis",
        seconds=20,
        upstream=("features",),
        settings=("redis",),
        intact="features.store:is_materialized",
    ),
)

ON_DEMAND: tuple[Stage, ...] = (
    Stage(
        name="rollback",
        function="training.promotion:rollback",
        does="let the earlier version serve again",
        seconds=5,
        lock=STEPS_BACK,
    ),
    Stage(
        name="release_start",
        function="monitoring.release.stage:start",
        does="let a version be tried beside the champion",
        seconds=5,
        lock=RELEASES,
    ),
    Stage(
        name="release",
        function="monitoring.release.stage:step",
        does="look at the running release, and advance or stop it",
        seconds=5,
        lock=RELEASES,
    ),
    Stage(
        name="release_stop",
        function="monitoring.release.stage:stop",
        does="stop the running release",
        seconds=5,
        lock=RELEASES,
    ),
    Stage(
        name="recommend",
        function="training.batch:recommend",
        does="rank the best products for each case",
        seconds=40,
    ),
    Stage(
        name="cases",
        function="training.case_files:export_cases",
        does="write held-out baskets as cases",
        seconds=10,
    ),
    Stage(
        name="compact",
        function="events.record.compaction:compaction",
        does="make one file of each closed day of the event log",
        seconds=5,
        lock="log",
    ),
    Stage(
        name="monitor",
        function="monitoring.watch.stage:monitor",
        does="look at the live model, and go back if it is bad",
        seconds=15,
        lock="looks",
    ),
)
"""Work on what is built that nothing is built from: run with arguments of its own, each time it is asked for."""

BUILD = "promote"
"""The last stage that needs no running Redis: what `tillwise run` builds before it starts anything."""


def stages_up_to(target: str, stages: Sequence[Stage] = STAGES) -> list[Stage]:
    """Return `target` and everything it depends on, in the order of the table.

    Raises:
        ConfigError: there is no such stage.
    """
    by_name = {stage.name: stage for stage in stages}
    if target not in by_name:
        raise ConfigError(f"There is no stage {target!r}; the stages are {', '.join(by_name)}.")
    wanted: set[str] = set()
    open_names = [target]
    while open_names:
        name = open_names.pop()
        if name not in wanted:
            wanted.add(name)
            open_names += by_name[name].upstream
    return [stage for stage in stages if stage.name in wanted]
