"""The network as plain arrays: what a package holds and what answers a request, without PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled

CLIP = 6.0
"""Scaled features are held within so many standard deviations: a value never seen in training must not decide alone."""

LARGEST = 100.0
"""Above the logarithm of any float32: stands for the infinite quotient of a huge and a tiny value."""


@dataclass(frozen=True)
class Scaling:
    """How a feature matrix becomes inputs: sign(x) · log(1 + |x| / typical), standardised; then one flag per column
    that may be unknown.

    Attributes:
        typical, mean, deviation: float32[columns]. may_miss: bool[columns], whether it was ever NaN in training.
    """

    typical: NDArray[np.float32]
    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]
    may_miss: NDArray[np.bool_]

    @classmethod
    def of(cls, features: NDArray[np.float32]) -> Scaling:
        """Return the scaling of float32[rows, columns], at least one row; constant columns become 0."""
        size = np.abs(features)
        size[size == 0] = np.nan
        known = ~np.isnan(size).all(axis=0)
        typical = np.ones(features.shape[1], dtype=np.float32)
        typical[known] = np.nanmedian(size[:, known], axis=0)
        logs = np.clip(_signed_log(features, typical), -LARGEST, LARGEST)
        there = ~np.isnan(logs).all(axis=0)
        mean, deviation = np.zeros_like(typical), np.ones_like(typical)
        mean[there] = np.nanmean(logs[:, there], axis=0)
        spread = np.nanstd(logs[:, there], axis=0)
        deviation[there] = np.where(spread > 1e-6, spread, 1.0)
        may_miss: NDArray[np.bool_] = np.asarray(np.isnan(features).any(axis=0))
        return cls(typical, mean, deviation, may_miss)

    def typical_features(self) -> NDArray[np.float32]:
        """Return float32[columns], the feature row of the means: what `inputs` makes 0 of."""
        means: NDArray[np.float32] = np.copysign(self.typical * np.expm1(np.abs(self.mean)), self.mean)
        return means

    def inputs(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32[rows, columns + flags]; an unknown value counts as the mean."""
        logs: NDArray[np.float32] = np.abs(features)
        with np.errstate(over="ignore"):  # a quotient beyond float32 is infinite, and held within bounds later
            logs /= self.typical
        np.log1p(logs, out=logs)
        return inputs_of(features, logs, self.mean, self.deviation, np.flatnonzero(self.may_miss))


@compiled
def inputs_of(
    features: NDArray[np.float32],
    logs: NDArray[np.float32],
    mean: NDArray[np.float32],
    deviation: NDArray[np.float32],
    flagged: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Return `Scaling.inputs` of features whose sizes are `logs` on its scale; `flagged`: columns with a flag."""
    rows, columns = features.shape
    found = np.empty((rows, columns + flagged.size), np.float32)
    clip, none = np.float32(CLIP), np.float32(0.0)
    for row in range(rows):
        for column in range(columns):
            value = features[row, column]
            scaled = (np.copysign(logs[row, column], value) - mean[column]) / deviation[column]
            scaled = min(max(scaled, -clip), clip)
            found[row, column] = none if np.isnan(value) else scaled
        for place in range(flagged.size):
            found[row, columns + place] = np.isnan(features[row, flagged[place]])
    return found


@dataclass(frozen=True)
class NeuralRanker:
    """A multi-layer perceptron with rectified units and one output: the higher, the better the candidate.

    Attributes:
        scaling: of the features. weights: float32[inputs, outputs] of each layer. biases: float32[outputs] of each.
    """

    scaling: Scaling
    weights: tuple[NDArray[np.float32], ...]
    biases: tuple[NDArray[np.float32], ...]

    def score(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return float64[rows], comparable within one request; finite for any float32[rows, columns] without inf."""
        values = self.scaling.inputs(features)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            values = values @ weight
            values += bias
            np.maximum(values, 0.0, out=values)
        scores: NDArray[np.float32] = values @ self.weights[-1] + self.biases[-1]
        return scores[:, 0].astype(np.float64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything by name, for a file."""
        found: dict[str, NDArray[Any]] = dict(vars(self.scaling))
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            found |= {f"weight_{layer}": weight, f"bias_{layer}": bias}
        return found

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> NeuralRanker:
        """Return the network of `arrays`."""
        scaling = Scaling(*(arrays[name] for name in ("typical", "mean", "deviation", "may_miss")))
        layers = range(sum(name.startswith("weight_") for name in arrays))
        return cls(scaling, tuple(arrays[f"weight_{n}"] for n in layers), tuple(arrays[f"bias_{n}"] for n in layers))


def _signed_log(features: NDArray[np.float32], typical: NDArray[np.float32]) -> NDArray[np.float32]:
    logs: NDArray[np.float32] = np.abs(features)
    with np.errstate(over="ignore"):  # a quotient beyond float32 is infinite, and held within bounds later
        logs /= typical
    np.log1p(logs, out=logs)
    np.copysign(logs, features, out=logs)
    return logs
