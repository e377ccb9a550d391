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
        name: what `tillwise NAME` runs.
        function: "module:function" of signature (Settings, Progress) -> StageReport.
        does: what it does, for displays.
        seconds: how long it took for the bundled data set on 2 cores; the first run's estimate starts from it.
        upstream: names of the stages whose results it reads.
        settings: sections, or single keys such as "dataset" and "windows.until", whose values change its result.
        outputs: what it leaves, relative to the work folder; when one is missing, the stage runs again.
        inputs: "module:function" of signature (Settings) -> str that fingerprints what it reads from outside.
        intact: "module:function" of signature (Settings) -> bool that says whether results that are more than
            the files in `outputs` are still there.
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
        name="train",
        function="training.train:train",
        does="train both rankers, distil them and package the model",
        seconds=290,
        upstream=("features",),
        settings=(
            *("windows", "features", "candidates", "training", "encoder", "neural", "student", "ranking", "feedback"),
            *("monitoring.attribution_minutes", "monitoring.attribution_touch"),
        ),
        outputs=("model",),
        inputs="training.feedback:feedback_fingerprint",
    ),
    Stage(
        name="evaluate",
        function="training.evaluation.stage:evaluate",
        does="compare the model with simpler arms on held-out baskets",
        seconds=50,
        upstream=("train",),
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
        name="promote",
        function="training.promotion:promote",
        does="let the new version serve, if it beats the simpler arms",
        seconds=5,
        upstream=("register",),
        settings=("registry",),
        intact="pipelines.intact:registry_is_there",
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
