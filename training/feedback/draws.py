"""Exposures with what came of them as training draws, weighted for what was not seen. Pure functions on arrays.

A draw is one product taken of an answer, with what was shown beside it and not taken: only that is known not to be
wanted. A label stays 0 or 1, as that of a product hidden in a basket, and how strong the evidence is (an order, an add,
a click) is told by the weight. Graded labels would mean something else to either ranker: LightGBM's gains grow with
2^label, the network's loss with the label; a weight multiplies both.

A product that was hardly seen counts for those that were not: by 1 over the chance that it was looked at, which is the
examination of its place times the logged chance that it was shown there (inverse propensities; Joachims, Swaminathan
and Schnabel 2017, WSDM, *Unbiased learning-to-rank with biased feedback*; for random places Oosterhuis and de Rijke
2020, SIGIR, *Policy-aware unbiased learning to rank*). The losses are sums over taken products, so weighting these is
enough: what was shown and not taken stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from configs.settings import FeedbackSettings
from training.examples import Examples
from training.feedback.outcomes import Came
from training.feedback.shown import Exposures

Floats = NDArray[np.float64]


def worth_of(settings: FeedbackSettings) -> Mapping[Came, float]:
    """Return what each outcome counts; outcomes that are not told count as not taken."""
    told = {Came.ORDER: settings.order_worth, Came.ADD: settings.add_worth, Came.CLICK: settings.click_worth}
    return {came: worth for came, worth in told.items() if worth > 0}


def chance_to_be_seen(exposures: Exposures, curve: Floats) -> Floats:
    """Return float64[rows], the chance that the answer let this product be looked at, up to one factor.

    A product that was not ranked where chance put it could have come to any place left to chance with the same
    probability. (Nor is it told whether it was ranked at another of these places: then it is likelier than said, and
    the clip bounds its weight.)

    Args:
        exposures: what was shown. curve: float64[places], the examination of each place.
    """
    here = curve[exposures.place]
    left = np.bincount(exposures.exposure, here * exposures.by_chance, len(exposures))[exposures.exposure]
    elsewhere = exposures.propensity < 0.5  # what was ranked there is shown with more than that, see `exploration`
    return exposures.propensity * np.where(elsewhere, left, here)


def draws_of(
    exposures: Exposures, came: NDArray[np.int8], seen: Floats, settings: FeedbackSettings
) -> tuple[Examples, NDArray[np.int8]]:
    """Return the draws, and int8[draws], what came of each one's product; weights have the mean `settings.weight`.

    Args:
        exposures: what was shown. came: int8[rows], as `Came`. seen: float64[rows], the chance to be looked at.
    """
    worth = np.zeros(len(Came))
    for outcome, value in worth_of(settings).items():
        worth[outcome] = value
    taken = worth[came] > 0
    start = np.cumsum(exposures.group) - exposures.group
    others = np.bincount(exposures.exposure, ~taken, len(exposures)).astype(np.int64)
    winners = np.flatnonzero(taken & (others[exposures.exposure] > 0))
    size = exposures.group[exposures.exposure[winners]]
    draw = np.repeat(np.arange(winners.size), size)
    rows = np.arange(draw.size) - np.repeat(np.cumsum(size) - size, size) + start[exposures.exposure[winners]][draw]
    label = rows == winners[draw]
    kept = label | ~taken[rows]
    rows, draw, label = rows[kept], draw[kept], label[kept]
    # In an order that tells nothing: of equal scores a ranker takes the first for the better.
    order = np.lexsort((np.unique(exposures.products, return_inverse=True)[1][rows], draw))
    weight = np.minimum(1.0 / seen[winners], settings.clip) * worth[came[winners]]
    weight *= settings.weight / weight.mean() if weight.size else 1.0
    examples = Examples(
        exposures.features[rows[order]],
        label[order].astype(np.int8),
        np.bincount(draw, minlength=winners.size).astype(np.int32),
        int(winners.size),
        weight[draw].astype(np.float32),
    )
    return examples, came[winners]
