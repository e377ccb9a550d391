"""The ways to rank that are compared: the package's own, and the baselines that the settings name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from configs.errors import ConfigError
from features.context import Context
from features.history import History
from training import baselines
from training.baselines import Baseline, Ranked
from training.evaluation.metrics import Floats
from training.package import ModelPackage
from training.recommender import ARMS, Recommender

MODEL = "model"
"""The arm that every other one is compared with."""


@dataclass(frozen=True)
class Arm:
    """One way to rank.

    Attributes:
        rank: (context, k) → the best k product rows and their scores.
        probability: (context, ranked) → float64[ranked], the probability that each ranked product is taken; None
            where the scores say nothing but an order.
    """

    rank: Callable[[Context, int], Ranked]
    probability: Callable[[Context, Ranked], Floats] | None = None


BASELINES: Mapping[str, type[Baseline]] = {kind.name: kind for kind in baselines.BASELINES if kind.name not in ARMS}
"""Name, as in the setting `evaluation.baselines` → baseline. The package's own arms are always compared."""


def arms_of(
    package: ModelPackage, history: History, names: tuple[str, ...], known: Mapping[str, type[Baseline]] = BASELINES
) -> dict[str, Arm]:
    """Return every arm by name: the model first, then the package's simpler ones, then the fitted baselines.

    Args:
        package: what serves. history: all orders; a baseline sees those before the package's cutoff.
        names: baselines to fit. known: what the names may be.

    Raises:
        ConfigError: a name is no baseline.
    """
    recommender = Recommender(package)
    arms = {name: Arm(partial(recommender.rank, arm=name)) for name in ARMS}
    arms[MODEL] = Arm(arms[MODEL].rank, lambda context, ranked: recommender.probability(context, ranked[0]))
    for name in names:
        if name not in known:
            raise ConfigError(
                f"evaluation.baselines names {name!r}, but the baselines are: {', '.join(known)}. "
                "Correct the setting TILLWISE_EVALUATION__BASELINES."
            )
        arms[name] = Arm(known[name].fit(history, package.matrix, package.as_of).rank)
    return arms
