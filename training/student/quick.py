"""The int8 student for one request: the ONNX model's arithmetic in a third of its steps.

The runtime goes over a few hundred rows a dozen times before its first product; here two passes do, around numpy's
logarithm. Products of a byte with seven bits are whole numbers, and their sums lie below 2²⁴, so that float32 adds them
up exactly and linear algebra takes the part of integer kernels. Scores differ from the runtime's by how each rounds
logarithms and scales.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.compiled import compiled
from training.neural.network import inputs_of

Floats = NDArray[np.float32]
STEPS = 255
"""Between the least and the greatest input of a layer, as it is told in a byte."""
EXACT = 2**24
"""Whole numbers up to here are exact in float32."""


@dataclass(frozen=True)
class Layer:
    """A layer: float32[inputs, outputs], whole numbers; float32[outputs], what one is worth; float32[outputs]."""

    weight: Floats
    scale: Floats
    bias: Floats


@dataclass(frozen=True)
class QuickStudent:
    """The arrays of a model that `training.student.export` made.

    Attributes:
        typical, mean, deviation: float32[columns], see `training.neural.network.Scaling`.
        flagged: int64[flags], columns whose being unknown is an input of its own. layers: at least one.
    """

    typical: Floats
    mean: Floats
    deviation: Floats
    flagged: NDArray[np.int64]
    layers: tuple[Layer, ...]

    @classmethod
    def of(cls, model: bytes) -> QuickStudent | None:
        """Return what a serialised int8 student computes; None if it is none, or its sums would not be exact here."""
        import onnx
        from onnx import numpy_helper

        from training.student.export import FLAGS

        graph = onnx.load_from_string(model).graph
        known = {item.name: numpy_helper.to_array(item) for item in graph.initializer}

        def constants(operator: str) -> list[NDArray[Any]]:
            """Return the second inputs of such nodes, in their order, where they are constants."""
            named = [node.input[1] for node in graph.node if node.op_type == operator]
            return [known[name] for name in named if name in known]

        layers = [node.input[1] for node in graph.node if node.op_type == "MatMulInteger"]
        biases = constants("Add")[1:]  # the first adds 1 below the logarithm
        if not layers or len(layers) != len(biases):
            return None
        typical, deviation = constants("Div")
        picked = next((known[node.input[1]] for node in graph.node if FLAGS in node.output), None)
        flagged = np.empty(0, np.int64) if picked is None else picked.argmax(axis=0)
        found = [_layer(known, name, bias) for name, bias in zip(layers, biases, strict=True)]
        if any(STEPS * np.abs(layer.weight).sum(axis=0).max() >= EXACT for layer in found):
            return None
        return cls(typical, constants("Sub")[0], deviation, flagged, tuple(found))

    def score(self, features: Floats) -> NDArray[np.float64]:
        """Return float64[rows] of float32[rows, columns], NaN being unknown: the higher, the better the candidate."""
        if not features.shape[0]:
            return np.empty(0)
        logs = _sizes(features, self.typical)
        np.log(logs, out=logs)
        values = inputs_of(features, logs, self.mean, self.deviation, self.flagged)
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            rounded, step = _rounded(values)
            values = rounded @ layer.weight
            _outputs(values, step * layer.scale, layer.bias, number < last)
        return values[:, 0].astype(np.float64)


def _layer(known: Mapping[str, NDArray[Any]], name: str, bias: Floats) -> Layer:
    stem = name.removesuffix("_quantized")
    weight = known[name].astype(np.float32) - known[f"{stem}_zero_point"].astype(np.float32)
    return Layer(np.ascontiguousarray(weight), known[f"{stem}_scale"].reshape(-1), bias)


@compiled
def _sizes(features: Floats, typical: Floats) -> Floats:
    """Return 1 + |x| / typical."""
    found = np.empty(features.shape, np.float32)
    for row in range(features.shape[0]):
        for column in range(features.shape[1]):
            found[row, column] = np.abs(features[row, column]) / typical[column] + np.float32(1.0)
    return found


def _rounded(values: Floats) -> tuple[Floats, np.float32]:
    """Return the values as whole numbers of steps from 0, and the step: DynamicQuantizeLinear of ONNX."""
    low, high = min(np.float32(0.0), values.min()), max(np.float32(0.0), values.max())
    step = (high - low) / np.float32(STEPS) or np.float32(1.0)
    zero = np.rint(-low / step)
    return _in_steps(values, step, -zero, np.float32(STEPS) - zero), step


@compiled
def _in_steps(values: Floats, step: np.float32, least: np.float32, most: np.float32) -> Floats:
    found = np.empty(values.shape, np.float32)
    for row in range(values.shape[0]):
        for column in range(values.shape[1]):
            found[row, column] = min(max(np.rint(values[row, column] / step), least), most)
    return found


@compiled
def _outputs(sums: Floats, scale: Floats, bias: Floats, rectified: bool) -> None:
    """Turn sums of whole numbers into a layer's outputs, in place."""
    for row in range(sums.shape[0]):
        for column in range(sums.shape[1]):
            value = sums[row, column] * scale[column] + bias[column]
            sums[row, column] = max(value, np.float32(0.0)) if rectified else value
