"""The LightGBM ranker as an ONNX model, which answers in about two thirds of the time that LightGBM takes.

A shortlist is a few dozen rows, at which LightGBM's own predictor mostly prepares. Its text stays in the package
beside this: it is what people read, what tells the contribution of each feature, and what `training.quick_trees` scores
requests by as long as trees are small; larger ones are scored by this.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import onnx
from onnx import TensorProto, helper

from training.lean_lightgbm import lgb
from training.quick_trees import not_above
from training.student.export import IR_VERSION, OPSET

Tree = Mapping[str, Any]
LEAF, SPLIT = "LEAF", "BRANCH_LEQ"


def trees_to_onnx(booster: lgb.Booster) -> bytes:
    """Return the trees as a serialised ONNX model that scores as the booster does, up to rounding to float32.

    Input: `features`, float32[rows, columns], NaN being unknown. Output: `score`, float32[rows].

    Raises:
        ValueError: the trees split by categories, or take zero for unknown, which ours never do.
    """
    nodes: dict[str, list[Any]] = defaultdict(list)
    targets: dict[str, list[Any]] = defaultdict(list)
    for number, tree in enumerate(booster.dump_model()["tree_info"]):
        _add(tree["tree_structure"], number, 0, nodes, targets)
    parts: dict[str, Any] = {f"nodes_{name}": values for name, values in nodes.items()}
    parts |= {f"target_{name}": values for name, values in targets.items()}
    ensemble = helper.make_node(
        "TreeEnsembleRegressor", ["features"], ["scores"], domain="ai.onnx.ml", n_targets=1, **parts
    )
    squeeze = helper.make_node("Squeeze", ["scores", "axis"], ["score"])
    graph = helper.make_graph(
        [ensemble, squeeze],
        "trees",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, ["rows", booster.num_feature()])],
        [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows"])],
        [helper.make_tensor("axis", TensorProto.INT64, [1], [1])],
    )
    imports = [helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", 3)]
    model = helper.make_model(graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="tillwise")
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString())


def _add(node: Tree, tree: int, number: int, nodes: dict[str, list[Any]], targets: dict[str, list[Any]]) -> int:
    """Add a node, numbered within its tree, and all below it; return the next free number."""
    leaf = "leaf_value" in node
    place = len(nodes["nodeids"])
    values = (LEAF, 0, 0.0, 0) if leaf else (SPLIT, *_split(node))
    for name, value in zip(("modes", "featureids", "values", "missing_value_tracks_true"), values, strict=True):
        nodes[name].append(value)
    for name, value in {"treeids": tree, "nodeids": number, "truenodeids": 0, "falsenodeids": 0}.items():
        nodes[name].append(value)
    if leaf:
        for name, value in {"treeids": tree, "nodeids": number, "ids": 0, "weights": node["leaf_value"]}.items():
            targets[name].append(value)
        return number + 1
    after_left = _add(node["left_child"], tree, number + 1, nodes, targets)
    nodes["truenodeids"][place], nodes["falsenodeids"][place] = number + 1, after_left
    return _add(node["right_child"], tree, after_left, nodes, targets)


def _split(node: Tree) -> tuple[int, float, int]:
    """Return (column, largest float32 that goes left, whether an unknown value does)."""
    threshold, unknown = node["threshold"], node["missing_type"]
    if node["decision_type"] != "<=" or unknown not in {"NaN", "None"}:
        raise ValueError(f"Found a split by {node['decision_type']!r} with {unknown!r} for unknown, expected '<='.")
    # Without unknown values in training, LightGBM takes one for zero.
    left = node["default_left"] if unknown == "NaN" else threshold >= 0
    return node["split_feature"], not_above(threshold), int(left)
