"""Distillation (Hinton et al. 2015, arXiv:1503.02531), listwise: match the teacher's shares among a draw's candidates.

The loss is hard_weight × cross-entropy to the hidden products + (1 − hard_weight) × T² × cross-entropy between the
softmaxes of teacher/T and student/T over the candidates of a draw; T² keeps the gradients of both parts alike whatever
the temperature T.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.settings import StudentSettings
from training.examples import Examples
from training.neural.fit import Batch, cross_entropy, fit_layers, hidden_loss
from training.neural.network import NeuralRanker, Scaling


def fit_student(
    examples: Examples,
    teacher: NDArray[np.float64],
    scaling: Scaling,
    settings: StudentSettings,
    tell: Callable[[float], None] = lambda _: None,
) -> NeuralRanker:
    """Return the student of a teacher, trained on examples each of whose draws holds a hidden product.

    The teacher has learned from the same examples, so it is surer of them than of new ones; held-back examples would
    be too few, and the shares among the candidates that were not hidden teach all the same.

    Args:
        examples: at least one draw. teacher: float64[rows], its log-odds between the candidates of a draw.
        scaling: of the features. settings: size, passes, temperature and the weight of what was hidden.
        tell: told the finished share.
    """
    heat, weight = settings.temperature, settings.hard_weight
    share = np.exp(examples.log_share(teacher / heat)).astype(np.float32)

    def loss(score: Tensor, batch: Batch) -> Tensor:
        soft = torch.from_numpy(share[batch.rows]).to(score.device)
        hard_loss = hidden_loss(examples, score, batch)
        return weight * hard_loss + (1 - weight) * heat**2 * cross_entropy(score / heat, soft, batch.draw, batch.draws)

    return fit_layers(examples, settings, loss, tell, scaling)
