"""Stage `package`: blends both rankers, distils and calibrates them, and packages the model with its golden answers.

Comes in: the work folder's `training/`, and data for the recorded requests. Goes out: the work folder's `model/`.
"""

from __future__ import annotations

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from features.history import load_history
from features.segments import popular_by_segment
from training.arrays import load_named
from training.lean_lightgbm import lgb
from training.neural.network import NeuralRanker
from training.package import ModelPackage, save_package
from training.product_side import load_side
from training.selftest import with_golden
from training.stages.files import EXAMPLES, GBM, NEURAL, SIDE, TREES, newest_examples, ranker_folder
from training.student.distil import distil
from training.trees import trees_to_onnx


def package(settings: Settings, progress: Progress) -> StageReport:
    """Make the model package of the newest examples and the rankers trained on them.

    Raises:
        NotBuiltError: data, examples or a ranker are not there.
        StageError: a ranker was trained on other examples.
    """
    work = settings.work
    made, examples = newest_examples(work)
    gbm = (ranker_folder(work, GBM, made) / TREES).read_text(encoding="utf-8")
    network = NeuralRanker.from_arrays(load_named(ranker_folder(work, NEURAL, made)))
    booster = lgb.Booster(model_str=gbm)
    distilled = distil(
        examples,
        {"gbm": booster.predict, "neural": network.score},
        network.scaling,
        settings.student,
        lambda share: progress.update("distilling", 0.1 + 0.6 * share),
    )
    progress.update("packaging", 0.7)
    history = load_history(work.data).before(made.as_of)
    model = ModelPackage(
        version="",
        as_of=made.as_of,
        data=made.data,
        clock=made.clock,
        matrix=load_side(work.training / EXAMPLES / SIDE, made.side),
        candidates=settings.candidates,
        gbm=gbm,
        trees=trees_to_onnx(booster),
        neural=network,
        students=distilled.students,
        heads=distilled.heads,
        ranking=settings.ranking,
        popular=popular_by_segment(history, made.as_of, settings.features),
        feedback=made.feedback,
    )
    with replace_directory(work.model) as folder:
        version = save_package(folder, with_golden(model, history))
    return StageReport(
        "package",
        read={"candidate rows held back": int(examples.held_back.label.size)},
        wrote={"products": len(model.products)},
        metrics={
            "version": version,
            "examples": made.content,
            "heads": {name: head.as_dict() for name, head in distilled.heads.items()},
        },
    )
