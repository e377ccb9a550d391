"""Stage `train`: the GBM and the neural ranker on the same examples, blended, calibrated and packaged."""

from __future__ import annotations

import lightgbm as lgb
import numpy as np

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.blend import Blend, fit_blend
from training.dataset import build_examples
from training.encoder.fit import EncoderFit
from training.examples import Split
from training.gbm import fit_gbm, importance
from training.neural.fit import fit_network
from training.neural.network import NeuralRanker
from training.package import save_package
from training.ranker import new_to_shopper

ROWS_AT_ONCE = 100_000
"""Rows that are scored at a time, so that memory stays bounded."""


def train(settings: Settings, progress: Progress) -> StageReport:
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
    encoder = EncoderFit(history, record["timezone"], settings.encoder)
    examples, matrix = build_examples(
        settings,
        store,
        history,
        windows.folds,
        encoder=encoder,
        progress=lambda doing, share: progress.update(doing, 0.02 + 0.6 * share),
    )
    del encoder, store  # their memory is wanted for fitting
    booster, quality = fit_gbm(examples, settings.training, progress)
    network = fit_network(
        examples.learn, settings.neural, lambda share: progress.update("training the network", 0.85 + 0.1 * share)
    )
    blend = _blend(examples, booster, network)
    progress.update("packaging", 0.95)
    with replace_directory(settings.work.model) as folder:
        version = save_package(
            folder,
            matrix,
            booster.model_to_string(),
            network,
            blend,
            as_of=windows.as_of,
            data=record["fingerprint"],
            clock=record["clock"],
            candidates=settings.candidates,
            ranking=settings.ranking,
        )
    return StageReport(
        "train",
        read={"draws": examples.learn.tried, "candidate rows": int(examples.learn.label.size)},
        wrote={"trees": booster.num_trees(), "products": len(matrix.catalogue)},
        rejected={"draws whose hidden products are no candidates": examples.learn.tried - examples.learn.group.size},
        metrics={
            "version": version,
            "validation_ndcg@10": quality,
            "blend": blend.as_dict(),
            "importance": importance(booster),
        },
    )


def _blend(examples: Split, booster: lgb.Booster, network: NeuralRanker) -> Blend:
    held_back = examples.held_back
    parts = np.array_split(held_back.features, -(-len(held_back.features) // ROWS_AT_ONCE))
    by_gbm = np.concatenate([np.asarray(booster.predict(part), dtype=np.float64) for part in parts])
    by_network = np.concatenate([network.score(part) for part in parts])
    return fit_blend(held_back, by_gbm, by_network, new_to_shopper(held_back.features))
