"""The LightGBM ranker: LambdaRank (Burges 2010, MSR-TR-2010-82)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from configs import Progress
from configs.settings import TrainingSettings
from features.definitions import COLUMNS
from training.examples import Examples, Split
from training.lean_lightgbm import lgb

BINS = 127
"""Most groups that a column's values are told apart by."""


def fit_gbm(
    examples: Split, training: TrainingSettings, progress: Progress, columns: Sequence[str] = COLUMNS
) -> tuple[lgb.Booster, float]:
    """Return the trained model and its NDCG@10 on the held-back shoppers.

    Args:
        examples: at least one draw each to learn from and held back.
        training: seed, size and stopping.
        progress: told each boosting round.
        columns: names of the examples' feature columns.

    Raises:
        DataError: too few baskets to train on.
    """
    parameters = _parameters(training)
    train, valid = _datasets(examples, parameters, columns)

    def tell(environment: Any) -> None:
        share = (environment.iteration + 1) / training.trees
        progress.update(f"boosting round {environment.iteration + 1}", share)

    stop = lgb.early_stopping(training.early_stopping_rounds, verbose=False)
    booster = lgb.train(parameters, train, training.trees, valid_sets=[valid], callbacks=[stop, tell])
    return booster, float(booster.best_score["valid_0"]["ndcg@10"])


def _datasets(examples: Split, parameters: dict[str, Any], columns: Sequence[str]) -> tuple[lgb.Dataset, lgb.Dataset]:
    """Return both sets, binned already, so that no copy of the features lives while trees grow."""
    examples.require_draws()
    train = _dataset(examples.learn, parameters, columns)
    return train.construct(), _dataset(examples.held_back.reached(), parameters, columns, reference=train).construct()


def importance(booster: lgb.Booster) -> dict[str, float]:
    """Return each column's share of the total gain, largest first."""
    gain = booster.feature_importance("gain")
    total = float(gain.sum()) or 1.0
    shares = {name: round(float(value) / total, 4) for name, value in zip(COLUMNS, gain, strict=True)}
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def _dataset(
    examples: Examples, parameters: dict[str, Any], columns: Sequence[str], reference: lgb.Dataset | None = None
) -> lgb.Dataset:
    return lgb.Dataset(
        examples.features,
        label=examples.label,
        weight=examples.weight,
        group=examples.group,
        feature_name=list(columns),
        reference=reference,
        params=parameters,
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
        "feature_fraction": training.columns_share,
        "lambda_l2": training.l2,
        "seed": training.seed,
        "num_threads": training.threads,
        "deterministic": True,
        "force_row_wise": True,
        "max_bin": BINS,
        "verbosity": -1,
    }
