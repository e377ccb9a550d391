"""A network as an ONNX model, scaling included, and the same with int8 weights.

The graph is written node by node from the network's arrays, so that nothing is traced and every node is one of ours.
Its input is `features`, float32[rows, columns] with NaN for unknown; its output is `score`, float32[rows].
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from training.neural.network import CLIP, NeuralRanker, Scaling

OPSET, IR_VERSION = 17, 8
"""Of 2022: all that the graph needs, and runtimes much older than ours still read them."""

FLAGS = "flags"
"""The product that picks the flags of what is missing: no layer, so it stays in float32."""


class _Graph:
    """Nodes and constants that are being put together; every method returns the name of a value."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[Any]) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, dtype=np.float32))

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name


def to_onnx(network: NeuralRanker) -> bytes:
    """Return the network as a serialised ONNX model that scores as `NeuralRanker.score` does, up to rounding."""
    graph = _Graph()
    values = _scaled(graph, "features", network.scaling)
    last = len(network.weights) - 1
    for layer, (weight, bias) in enumerate(zip(network.weights, network.biases, strict=True)):
        values = graph.add("Add", graph.add("MatMul", values, graph.constant(weight)), graph.constant(bias))
        if layer < last:
            values = graph.add("Relu", values)
    graph.add("Squeeze", values, graph.constant(np.array([1], dtype=np.int64)), output="score")
    columns = network.scaling.mean.size
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "student",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", columns])],
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows"])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="tillwise",
    )
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def to_int8(model: bytes) -> bytes:
    """Return the ONNX model with the weights of its layers in int8 and their inputs quantized anew in every call.

    Weights have one scale an output and 7 bits: on processors without VNNI, sums of 8-bit products saturate.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    proto = onnx.load_from_string(model)
    # Pre-processing (shape inference, fusion) would find nothing to do; without this mark its absence is warned of.
    helper.set_model_props(proto, {"onnx.quant.pre_process": "onnxruntime.quant"})
    with TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            proto,
            path,
            op_types_to_quantize=["MatMul"],
            nodes_to_exclude=[FLAGS],
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()


def _scaled(graph: _Graph, features: str, scaling: Scaling) -> str:
    """Add what `Scaling.inputs` does. There is no log1p in ONNX: log(1 + x) is off by at most a rounding of 1."""
    missing, size = graph.add("IsNaN", features), graph.add("Abs", features)
    logs = graph.add("Add", graph.add("Div", size, graph.constant(scaling.typical)), graph.number(1.0))
    # Divided by its own size a number is its sign; the runtime's Sign takes twice as long.
    sign = graph.add("Div", features, graph.add("Max", size, graph.number(float(np.finfo(np.float32).tiny))))
    logs = graph.add("Mul", graph.add("Log", logs), sign)
    scaled = graph.add("Div", graph.add("Sub", logs, graph.constant(scaling.mean)), graph.constant(scaling.deviation))
    scaled = graph.add("Where", missing, graph.number(0.0), scaled)
    scaled = graph.add("Clip", scaled, graph.number(-CLIP), graph.number(CLIP))
    if not scaling.may_miss.any():
        return scaled
    # Picking columns by a product with ones and zeros is exact, and several times as fast as the runtime's Gather.
    chosen = graph.constant(np.eye(scaling.mean.size, dtype=np.float32)[:, scaling.may_miss])
    flags = graph.add("MatMul", graph.add("Cast", missing, to=TensorProto.FLOAT), chosen, output=FLAGS)
    return graph.add("Concat", scaled, flags, axis=1)
