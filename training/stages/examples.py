"""Stage `examples`: fits the encoder over time, writes what both rankers learn from and the product side that serves.

Comes in: data and features. Goes out: the work folder's `training/examples`, whose layout stands in `training.stages`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from configs import Progress, Settings, StageReport
from configs.home import replace_directory
from features.context import ProductMatrix
from features.definitions import COLUMNS
from features.history import History, ingest_record, load_history
from features.store import open_store
from features.windows import Windows, cut_windows
from training.dataset import draw_examples, sides_over_time
from training.example_files import SplitWriter, map_split
from training.examples import Examples
from training.feedback import feedback_examples
from training.product_side import save_side
from training.stages.files import EXAMPLES, SIDE, ExamplesRecord, digest_of, write_examples_record

if TYPE_CHECKING:
    from feast import FeatureStore


def examples(settings: Settings, progress: Progress) -> StageReport:
    """Write the examples of the folds before the test window, and the product side at the cutoff.

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
        lambda share: progress.update("training the encoder", 0.03 + 0.21 * share),
    )
    with replace_directory(settings.work.training / EXAMPLES) as folder:
        with SplitWriter(folder, len(COLUMNS)) as writer:
            for piece in _of_baskets(settings, store, history, windows, sides, progress):
                writer.add(*piece)
            feedback = feedback_examples(settings, history, windows.as_of, writer.so_far().learn)
            if feedback.examples is not None:
                writer.add(feedback.examples, Examples.none(len(COLUMNS)))
        map_split(folder, writer.tried).require_draws()
        progress.update("writing the product side", 0.97)
        (matrix,) = sides  # the last one, at the cutoff, is what serves
        side = save_side(folder / SIDE, matrix)
        made = ExamplesRecord(
            digest_of(folder),
            windows.as_of,
            record["fingerprint"],
            record["clock"],
            side,
            writer.tried,
            feedback.fingerprint,
        )
        write_examples_record(folder, made)
    return StageReport(
        "examples",
        read={
            "draws": writer.tried["learn"],
            "draws held back": writer.tried["held_back"],
            "answers shown": feedback.exposures,
        },
        wrote={
            "candidate rows": writer.rows["learn"],
            "candidate rows held back": writer.rows["held_back"],
            "products": len(matrix.catalogue),
        },
        rejected={"draws whose hidden products are no candidates": writer.tried["learn"] - writer.draws["learn"]}
        | {f"answers shown: {reason}": count for reason, count in feedback.skipped.items()},
        metrics={"examples": made.content, "feedback": feedback.as_dict()},
    )


def _of_baskets(
    settings: Settings,
    store: FeatureStore,
    history: History,
    windows: Windows,
    sides: Iterator[ProductMatrix],
    progress: Progress,
) -> Iterator[tuple[Examples, Examples]]:
    """Yield examples to learn from and held back, piece by piece."""
    yield from draw_examples(
        settings,
        store,
        history,
        windows.folds,
        sides=sides,
        progress=lambda share: progress.update("building examples", 0.24 + 0.73 * share),
    )
