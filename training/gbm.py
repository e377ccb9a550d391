"""Stage `train`: the LightGBM ranker (LambdaRank, Burges 2010, MSR-TR-2010-82), packaged with its product side."""

from __future__ import annotations

from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from configs import Progress, Settings, StageReport
from configs.errors import DataError
from configs.home import replace_directory
from configs.settings import TrainingSettings
from features.definitions import COLUMNS
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.dataset import Examples, build_examples, product_matrix
from training.package import save_package


def train_gbm(settings: Settings, progress: Progress) -> StageReport:
    """Train on the folds before the test window and write the model package to the work folder.

    Raises:
        NotBuiltError: data or features have not been built.
        DataError: the history is too short, or no case teaches anything.
    """
    record = ingest_record(settings.work.data)
    progress.update("reading history", 0.0)
    history = load_history(settings.work.data)
    windows = cut_windows(history, record["timezone"], settings.windows)
    store = open_store(settings)
    progress.update("building examples", 0.05)
    examples = build_examples(
        settings, store, history, windows.folds, lambda share: progress.update("building examples", 0.05 + 0.5 * share)
    )
    booster, quality = fit(examples, settings.training, progress)
    progress.update("packaging", 0.95)
    matrix = product_matrix(settings, store, history, windows.as_of)
    with replace_directory(settings.work.model) as folder:
        version = save_package(
            folder,
            matrix,
            booster.model_to_string(),
            as_of=windows.as_of,
            data=record["fingerprint"],
            clock=record["clock"],
            candidates=settings.candidates,
        )
    return StageReport(
        "train",
        read={"cases": examples.cases, "candidate rows": int(examples.label.size)},
        wrote={"trees": booster.num_trees(), "products": len(matrix.catalogue)},
        rejected={"cases whose hidden products are no candidates": examples.cases - examples.reachable},
        metrics={"version": version, "validation_ndcg@10": quality, "importance": importance(booster)},
    )


def fit(examples: Examples, training: TrainingSettings, progress: Progress) -> tuple[lgb.Booster, float]:
    """Return the trained model and its NDCG@10 on the held-back shoppers.

    Args:
        examples: at least one group each for training and validation; shoppers are kept on one side.
        training: seed, size and stopping.
        progress: told each boosting round.

    Raises:
        DataError: too few cases to train on.
    """
    held_back = _validation_groups(examples, training)
    if not 0 < held_back.sum() < held_back.size:
        raise DataError(
            f"Only {examples.reachable} of {examples.cases} training cases have a hidden product among their "
            "candidates, too few to train and validate on: bring more orders, or longer TILLWISE_WINDOWS__TARGET_DAYS."
        )
    row_held_back = np.repeat(held_back, examples.group)
    train = _dataset(examples, ~row_held_back, ~held_back)
    valid = _dataset(examples, row_held_back, held_back, reference=train)

    def tell(environment: Any) -> None:
        share = (environment.iteration + 1) / training.trees
        progress.update(f"boosting round {environment.iteration + 1}", 0.55 + 0.4 * share)

    stop = lgb.early_stopping(training.early_stopping_rounds, verbose=False)
    booster = lgb.train(_parameters(training), train, training.trees, valid_sets=[valid], callbacks=[stop, tell])
    return booster, float(booster.best_score["valid_0"]["ndcg@10"])


def importance(booster: lgb.Booster) -> dict[str, float]:
    """Return each column's share of the total gain, largest first."""
    gain = booster.feature_importance("gain")
    total = float(gain.sum()) or 1.0
    shares = {name: round(float(value) / total, 4) for name, value in zip(COLUMNS, gain, strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _validation_groups(examples: Examples, training: TrainingSettings) -> NDArray[np.bool_]:
    shoppers = np.unique(examples.shopper)
    count = max(1, round(training.validation_share * shoppers.size))
    held_back = np.random.default_rng(training.seed).permutation(shoppers)[:count]
    return np.isin(examples.shopper, held_back)


def _dataset(
    examples: Examples, rows: NDArray[np.bool_], groups: NDArray[np.bool_], reference: lgb.Dataset | None = None
) -> lgb.Dataset:
    return lgb.Dataset(
        examples.features[rows],
        label=examples.label[rows],
        group=examples.group[groups],
        feature_name=list(COLUMNS),
        reference=reference,
        free_raw_data=True,
    )


def _parameters(training: TrainingSettings) -> dict[str, Any]:
    return {
        "objective": "lambdarank",
        "metric": "ndcg",
        "eval_at": [10],
        "lambdarank_truncation_level": 20,
        "learning_rate": training.learning_rate,
        "num_leaves": training.leaves,
        "min_data_in_leaf": training.min_data_in_leaf,
        "seed": training.seed,
        "num_threads": training.threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
