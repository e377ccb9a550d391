"""From the two rankers to all heads: what they blend to, the student of the blend, and a calibration of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from configs.settings import StudentSettings
from training.blend import Blend
from training.examples import Split
from training.heads import fit_heads
from training.neural.network import Scaling
from training.ranker import Scorer, new_to_shopper
from training.student.export import to_int8, to_onnx
from training.student.fit import fit_student
from training.student.session import OnnxScorer

ROWS_AT_ONCE = 100_000
"""Rows that are scored at a time, so that memory stays bounded."""


@dataclass(frozen=True)
class Distilled:
    """The student as ONNX models by name, and every head by name."""

    students: Mapping[str, bytes]
    heads: Mapping[str, Blend]


def distil(
    examples: Split,
    rankers: Mapping[str, Scorer],
    scaling: Scaling,
    settings: StudentSettings,
    tell: Callable[[float], None] = lambda _: None,
) -> Distilled:
    """Return the student of the blend of both rankers, and all heads.

    Args:
        examples: the student learns from some draws of `learn`; weights and calibrations come from `held_back`.
        rankers: "gbm" and "neural". scaling: of the features. settings: of the student.
        tell: told the finished share of training the student.
    """
    # Linear algebra in one thread: split among as many as there happen to be, sums would round differently, and equal
    # inputs would not give equal packages.
    with threadpool_limits(1, user_api="blas"):
        held_back, learn = examples.held_back, examples.learn.some(settings.max_draws, settings.seed)
        new = new_to_shopper(held_back.features)
        heads = fit_heads(held_back, _scores(rankers, held_back.features), new, ("blend", "gbm", "neural"))
        teacher = heads["blend"].logit(_scores(rankers, learn.features), new_to_shopper(learn.features))
        model = to_onnx(fit_student(learn, teacher, scaling, settings, tell))
        students = {"student": model, "student_int8": to_int8(model)}
        scorers = {name: OnnxScorer(student).score for name, student in students.items()}
        heads |= fit_heads(held_back, _scores(scorers, held_back.features), new, tuple(students))
        return Distilled(students, heads)


def _scores(scorers: Mapping[str, Scorer], features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
    parts = np.array_split(features, -(-len(features) // ROWS_AT_ONCE))
    return {name: np.concatenate([score(part) for part in parts]) for name, score in scorers.items()}
