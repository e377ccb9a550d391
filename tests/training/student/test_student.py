"""The student answers as its teacher does, and its ONNX models as the student does."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from configs import Settings, load_settings
from features.context import Context
from features.definitions import assemble
from features.history import load_history
from features.shopper import ShopperState, fold
from training.candidates import generate
from training.examples import Examples
from training.neural.fit import cross_entropy
from training.neural.network import NeuralRanker, Scaling
from training.package import ModelPackage
from training.student.export import to_int8, to_onnx
from training.student.fit import fit_student
from training.student.quick import QuickStudent
from training.student.session import OnnxScorer

STUDENT = load_settings().student
COLUMNS, SIZE = 4, 10
values = st.floats(width=32, allow_infinity=False, allow_nan=True)
matrices = arrays(np.float32, st.tuples(st.integers(0, 5), st.just(COLUMNS)), elements=values)


def small(**changes: Any) -> Any:
    return STUDENT.model_copy(update={"batch": 16, "epochs": 12, "threads": 1, "device": "cpu"} | changes)


def lesson(draws: int = 400, seed: int = 3) -> tuple[Examples, np.ndarray]:
    """Examples, and a teacher that goes by the first two columns; what was hidden is a coin's choice."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(draws * SIZE, COLUMNS)).astype(np.float32)
    features[rng.random(len(features)) < 0.2, 3] = np.nan
    teacher = 2.0 * features[:, 0].astype(np.float64) - np.abs(features[:, 1])
    label = np.zeros((draws, SIZE), dtype=np.int8)
    label[np.arange(draws), rng.integers(0, SIZE, draws)] = 1
    return Examples(features, label.ravel(), np.full(draws, SIZE, dtype=np.int32), draws), teacher


def taught(**changes: Any) -> NeuralRanker:
    examples, teacher = lesson()
    return fit_student(examples, teacher, Scaling.of(examples.features), small(**changes))


@pytest.fixture(scope="module")
def student() -> NeuralRanker:
    return taught(hard_weight=0.0)


@pytest.fixture(scope="module")
def exported(student: NeuralRanker) -> OnnxScorer:
    return OnnxScorer(to_onnx(student))


def agreement(student: NeuralRanker) -> float:
    """Return in how many of some fresh draws student and teacher put the same candidate first."""
    fresh, teacher = lesson(draws=200, seed=4)
    best = student.score(fresh.features).reshape(-1, SIZE).argmax(axis=1)
    return float((best == teacher.reshape(-1, SIZE).argmax(axis=1)).mean())


def test_the_student_ranks_new_draws_as_its_teacher_does(student: NeuralRanker) -> None:
    assert agreement(student) > 0.8


def test_without_a_temperature_the_student_learns_the_shares_themselves(student: NeuralRanker) -> None:
    fresh, teacher = lesson(draws=200, seed=4)
    learned, wanted = (
        torch.softmax(torch.from_numpy(score.reshape(-1, SIZE)), 1).numpy()
        for score in (student.score(fresh.features), teacher)
    )
    assert np.abs(learned - wanted).mean() < 0.03


def test_a_hot_student_still_ranks_as_its_teacher_does() -> None:
    assert agreement(taught(hard_weight=0.0, temperature=4.0)) > 0.8


def test_a_student_of_the_hidden_products_alone_does_not_hear_its_teacher() -> None:
    assert agreement(taught(hard_weight=1.0)) < 0.4


def test_cross_entropy_is_that_of_each_draw() -> None:
    score, share = torch.tensor([1.0, 2.0, 0.5, 3.0]), torch.tensor([0.25, 0.75, 0.4, 0.6])
    first = -(torch.log_softmax(score[:2], 0) @ share[:2])
    second = -(torch.log_softmax(score[2:], 0) @ share[2:])
    found = cross_entropy(score, share, torch.tensor([0, 0, 1, 1]), 2)
    assert found.item() == pytest.approx(((first + second) / 2).item(), rel=1e-6)


@given(matrices)
@settings(max_examples=200, deadline=None)
def test_onnx_scores_as_numpy_does_whatever_the_features(
    student: NeuralRanker, exported: OnnxScorer, features: Any
) -> None:
    with np.errstate(over="ignore"):  # beyond 3e38 after scaling, where both are clipped
        expected = student.score(features)
    found = exported.score(features)
    assert found.dtype == np.float64
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-4)


def test_onnx_needs_no_column_that_may_miss() -> None:
    examples, teacher = lesson(draws=50)
    complete = Examples(np.nan_to_num(examples.features), examples.label, examples.group, examples.tried)
    student = fit_student(complete, teacher, Scaling.of(complete.features), small(epochs=1))
    found = OnnxScorer(to_onnx(student)).score(complete.features)
    np.testing.assert_allclose(found, student.score(complete.features), atol=1e-4)


def test_int8_shrinks_the_layers_and_keeps_most_of_the_order(package: ModelPackage, built_shop: Settings) -> None:
    """Measured by overlap of the best ten, over requests with the small shop's own features."""
    model = package.students["student"]
    assert len(package.students["student_int8"]) < len(model)
    kept = []
    exact, quantized = (OnnxScorer(package.students[name]) for name in ("student", "student_int8"))
    for features in requests(package, built_shop):
        best, again = (
            np.argsort(-scorer.score(features), kind="stable")[:10].tolist() for scorer in (exact, quantized)
        )
        kept.append(len(set(best) & set(again)) / len(best))
    assert np.mean(kept) > 0.8


def test_the_layers_of_the_int8_model_are_integers(student: NeuralRanker) -> None:
    proto = onnx.load_from_string(to_int8(to_onnx(student)))
    integers = [node for node in proto.graph.node if node.op_type == "MatMulInteger"]
    assert len(integers) == len(student.weights)


def test_the_same_network_gives_the_same_files(student: NeuralRanker) -> None:
    assert to_onnx(student) == to_onnx(student)
    assert to_int8(to_onnx(student)) == to_int8(to_onnx(student))


def requests(package: ModelPackage, shop: Settings) -> list[np.ndarray]:
    """Return the feature matrices of some shoppers with carts of two products."""
    known = load_history(shop.work.data).before(package.as_of)
    matrices = []
    for who in range(20):
        orders = (known.order(int(i)) for i in np.flatnonzero(known.shopper == who))
        state = fold(orders, shop.features) if (known.shopper == who).any() else ShopperState.empty()
        cart = package.matrix.rows(package.products.ids[who : who + 2])
        context = Context(package.matrix, state, cart, package.as_of)
        matrices.append(assemble(context, generate(context, package.candidates)))
    return matrices


def test_without_the_runtime_the_int8_student_scores_as_with_it(student: NeuralRanker) -> None:
    model = to_int8(to_onnx(student))
    quick, runtime = QuickStudent.of(model), OnnxScorer(model)
    assert quick is not None
    fresh, _ = lesson(draws=100, seed=6)
    by_draw = np.split(fresh.features, 100)
    found, expected = (np.concatenate([scorer.score(draw) for draw in by_draw]) for scorer in (quick, runtime))
    apart = np.abs(found - expected)
    # A logarithm that is rounded otherwise may fall on the other side of a step: that is rare, and one step.
    assert (apart < 1e-5).mean() > 0.9
    assert apart.max() < 0.05 * expected.std()
    assert quick.score(fresh.features[:0]).shape == (0,)


def test_an_int8_student_whose_sums_float32_cannot_hold_is_left_to_the_runtime() -> None:
    columns = 1_100
    ones = np.ones(columns, np.float32)
    scaling = Scaling(ones, np.zeros_like(ones), ones, np.zeros(columns, dtype=bool))
    weights = np.ones((columns, 2), np.float32), np.ones((2, 1), np.float32)
    wide = NeuralRanker(scaling, weights, (np.zeros(2, np.float32), np.zeros(1, np.float32)))
    assert QuickStudent.of(to_int8(to_onnx(wide))) is None
