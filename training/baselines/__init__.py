"""Simple and well-known ways to rank, which a model has to beat, behind one small interface.

Comes in: the history, the product matrix and a moment (`fit`), then a `Context` (`rank`). Goes out: product rows with
scores. Called by benchmarks and, for the arms that need no fit, by the recommender.
"""

from __future__ import annotations

from training.baselines.als import Als
from training.baselines.base import Baseline, Ranked
from training.baselines.blend import Blend
from training.baselines.ease import Ease
from training.baselines.frequently_bought_together import FrequentlyBoughtTogether, FrequentlyBoughtTogetherCount
from training.baselines.implicit_items import ImplicitBm25, ImplicitCosine
from training.baselines.item_item import ItemItemCosine, Lift
from training.baselines.own_frequency import OwnFrequency
from training.baselines.pernir import PerNir
from training.baselines.popularity import Popularity, RecentPopularity
from training.baselines.tifu_knn import TifuKnn
from training.baselines.up_cf import UpCf

BASELINES: tuple[type[Baseline], ...] = (
    Popularity,
    RecentPopularity,
    OwnFrequency,
    FrequentlyBoughtTogether,
    FrequentlyBoughtTogetherCount,
    ItemItemCosine,
    Lift,
    TifuKnn,
    UpCf,
    PerNir,
    Als,
    ImplicitBm25,
    ImplicitCosine,
    Ease,
    Blend,
)
"""Every baseline, in the order in which reports list them."""

__all__ = ["BASELINES", "Baseline", "Ranked"]
