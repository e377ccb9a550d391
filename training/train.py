"""Stage `train`: the GBM and the neural ranker on the same examples, blended, distilled, calibrated and packaged."""

from __future__ import annotations

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from features.history import ingest_record, load_history
from features.segments import popular_by_segment
from features.store import open_store
from features.windows import cut_windows
from training.dataset import build_examples, sides_over_time
from training.feedback import feedback_examples
from training.gbm import fit_gbm, importance
from training.neural.fit import fit_network
from training.package import ModelPackage, save_package
from training.selftest import with_golden
from training.student.distil import distil
from training.trees import trees_to_onnx


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
    sides = sides_over_time(
        settings,
        store,
        history,
        [*(fold.start for fold in windows.folds), windows.as_of],
        lambda share: progress.update("training the encoder", 0.02 + 0.13 * share),
    )
    examples = build_examples(
        settings,
        store,
        history,
        windows.folds,
        sides=sides,
        progress=lambda share: progress.update("building examples", 0.15 + 0.47 * share),
    )
    feedback = feedback_examples(settings, history, windows.as_of, examples.learn)
    examples = feedback.added_to(examples)
    (matrix,) = sides  # the last one, at the cutoff, is what serves
    del sides, store  # their memory is wanted for fitting
    booster, quality = fit_gbm(examples, settings.training, progress)
    network = fit_network(
        examples.learn, settings.neural, lambda share: progress.update("training the network", 0.85 + 0.06 * share)
    )
    distilled = distil(
        examples,
        {"gbm": booster.predict, "neural": network.score},
        network.scaling,
        settings.student,
        lambda share: progress.update("distilling", 0.91 + 0.03 * share),
    )
    progress.update("packaging", 0.95)
    package = ModelPackage(
        version="",
        as_of=windows.as_of,
        data=record["fingerprint"],
        clock=record["clock"],
        matrix=matrix,
        candidates=settings.candidates,
        gbm=booster.model_to_string(),
        trees=trees_to_onnx(booster),
        neural=network,
        students=distilled.students,
        heads=distilled.heads,
        ranking=settings.ranking,
        popular=popular_by_segment(history, windows.as_of, settings.features),
        feedback=feedback.fingerprint,
    )
    with replace_directory(settings.work.model) as folder:
        version = save_package(folder, with_golden(package, history.before(windows.as_of)))
    return StageReport(
        "train",
        read={
            "draws": examples.learn.tried,
            "candidate rows": int(examples.learn.label.size),
            "answers shown": feedback.exposures,
        },
        wrote={"trees": booster.num_trees(), "products": len(matrix.catalogue)},
        rejected={"draws whose hidden products are no candidates": examples.learn.tried - examples.learn.group.size}
        | {f"answers shown: {reason}": count for reason, count in feedback.skipped.items()},
        metrics={
            "version": version,
            "validation_ndcg@10": quality,
            "heads": {name: head.as_dict() for name, head in distilled.heads.items()},
            "importance": importance(booster),
            "feedback": feedback.as_dict(),
        },
    )
