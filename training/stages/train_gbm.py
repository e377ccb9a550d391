"""Stage `train_gbm`: grows the trees on the examples.

Comes in: the work folder's `training/examples`. Goes out: `training/gbm`. Independent of `train_neural`.
"""

from __future__ import annotations

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from training.gbm import fit_gbm, importance
from training.stages.files import GBM, TREES, newest_examples, write_ranker_record


def train_gbm(settings: Settings, progress: Progress) -> StageReport:
    """Fit the LightGBM ranker to the newest examples and write its trees as text.

    Raises:
        NotBuiltError: there are no examples.
        DataError: no draw teaches anything.
    """
    made, examples = newest_examples(settings.work)
    booster, quality = fit_gbm(examples, settings.training, progress)
    trees = booster.best_iteration or booster.num_trees()
    metrics = {"validation_ndcg@10": quality, "importance": importance(booster)}
    with replace_directory(settings.work.training / GBM) as folder:
        (folder / TREES).write_text(booster.model_to_string(), encoding="utf-8")
        write_ranker_record(folder, GBM, made, **metrics)
    return StageReport(
        "train_gbm",
        read={"candidate rows": int(examples.learn.label.size)},
        wrote={"trees": trees},
        metrics=metrics | {"examples": made.content},
    )
