"""The encoder: the same in PyTorch and in numpy, blind to the future, and able to learn what it is for."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.settings import CandidateSettings, EncoderSettings
from features.context import Context, ProductMatrix
from features.encoder import Encoder, newest_purchases
from features.history import History
from features.shopper import ShopperState
from tests.features.histories import DAY, SETTINGS, START, Bought, history, orders
from tests.features.test_no_leakage import matrix_at, rewritten_future, state_before
from training.candidates import generate
from training.encoder.draws import Purchases
from training.encoder.fit import EncoderFit, _batch, _Sampler
from training.encoder.network import HABITS, EncoderNetwork

ZONE = "Europe/Berlin"
LATE = START + 200 * DAY
SMALL = SETTINGS.encoder.model_copy(
    update={"epochs": 2, "batch": 8, "hidden": 16, "negatives": 20, "history": 9, "threads": 1}
)
EVERYTHING = np.arange(12, dtype=np.int32)


def fitted(past: History, moment: int = LATE, encoder: EncoderSettings = SMALL) -> Encoder:
    return EncoderFit(past, ZONE, encoder).until(matrix_at(past, moment), moment)


def with_encoder(past: History, encoder: Encoder, moment: int = LATE) -> ProductMatrix:
    return replace(matrix_at(past, moment), encoder=encoder)


def only(**limits: int) -> CandidateSettings:
    return CandidateSettings(**(dict.fromkeys(CandidateSettings.model_fields, 0) | limits))


def pairs_of_products(days: int = 120) -> list[Bought]:
    """Products 0 and 1, 2 and 3, … go together; who buys what when says nothing."""
    rng = np.random.default_rng(5)
    bought = []
    for day in range(days):
        first = int(rng.integers(0, 6)) * 2
        bought.append(Bought(START + day * DAY, int(rng.integers(0, 4)), (first, first + 1)))
    return bought


@given(orders(), st.lists(st.integers(0, 11), max_size=6, unique=True), st.integers(0, 3))
@settings(max_examples=25, deadline=None)
def test_numpy_encodes_a_request_as_pytorch_does(past: list[Bought], cart: list[int], who: int) -> None:
    known = history([*past, Bought(LATE - DAY, who, (4, 5, 6))])
    moment = int(known.at[-1])  # the newest order is the request: its purchases before are its shopper's history
    matrix = matrix_at(known, moment)
    torch.manual_seed(3)
    network = EncoderNetwork(matrix, 16)
    with torch.no_grad():
        network.age.weight.normal_()
    encoder = Encoder(network.weights(), SMALL.history, ZONE, EVERYTHING, EVERYTHING[:0])
    context = Context(
        replace(matrix, encoder=encoder), state_before(known, who, moment), np.array(sorted(cart), np.int32), moment
    )
    draws = Purchases(known, ZONE).draw(
        np.array([len(known) - 1]), np.random.default_rng(0), cart=6, hidden=2, history=SMALL.history
    )
    padded = np.full((1, 6), -1, dtype=np.int32)
    padded[0, : len(cart)] = cart
    situation = draws.situation.copy()
    situation[0, 0] = np.log1p(len(cart))
    batch = _batch(
        replace(draws, cart=padded, situation=situation),
        *_Sampler(np.ones(12), 5).sample(draws.hidden, np.random.default_rng(0)),
        torch.device("cpu"),
    )
    with torch.no_grad():
        expected = network.encode(network.table(batch.items), batch)[0].numpy()
    np.testing.assert_allclose(context.encoded, expected, atol=1e-4)


@given(orders(), st.integers(1, 12))
@settings(max_examples=40, deadline=None)
def test_purchases_before_an_order_are_those_of_the_shoppers_state(past: list[Bought], limit: int) -> None:
    known = history(past)
    rows, age = Purchases(known, ZONE).before(np.arange(len(known)), limit)
    for order in range(len(known)):
        moment = int(known.at[order])
        baskets = state_before(known, int(known.shopper[order]), moment).baskets
        keys, at = newest_purchases(baskets, baskets.products, limit)
        there = rows[order] >= 0
        assert known.catalogue.keys[rows[order][there]][::-1].tolist() == keys.tolist()
        np.testing.assert_allclose(age[order][there][::-1], (moment - at) / DAY, atol=1e-4)


@given(orders(), st.integers(20, 380).map(lambda step: START + step * DAY // 4))
@settings(max_examples=8, deadline=None)
def test_changing_or_deleting_the_future_changes_no_encoder(past: list[Bought], moment: int) -> None:
    variants = (past, rewritten_future(past, moment), [order for order in past if order.at < moment])
    first, *others = [fitted(history([*variant, Bought(LATE, 0, (0,))]), moment).weights for variant in variants]
    for other in others:
        assert all(np.array_equal(getattr(first, name), getattr(other, name)) for name in type(first).names())


def test_it_learns_which_products_go_together() -> None:
    known = history(pairs_of_products())
    encoder = fitted(known, encoder=SMALL.model_copy(update={"epochs": 30, "learning_rate": 0.01}))
    for product in range(12):
        context = Context(
            with_encoder(known, encoder), ShopperState.empty(), np.array([product], dtype=np.int32), float(LATE)
        )
        scores = encoder.score(context.encoded, EVERYTHING)
        scores[product] = -np.inf
        assert scores.argmax() == product ^ 1


def test_it_goes_on_from_where_it_was_and_learns_each_order_in_its_turn() -> None:
    known = history(pairs_of_products())
    moments = [START + 60 * DAY, START + 90 * DAY, LATE]
    fit = EncoderFit(known, ZONE, SMALL)
    biases = [fit.until(matrix_at(known, moment), moment).weights.bias for moment in moments]
    again = fit.until(matrix_at(known, LATE), LATE).weights.bias
    assert all(not np.array_equal(*pair) for pair in pairwise(biases))
    assert np.array_equal(biases[-1], again)


def test_the_same_seed_gives_the_same_encoder_and_another_one_another() -> None:
    known = history(pairs_of_products())
    first, again, other = (fitted(known, encoder=SMALL.model_copy(update={"seed": seed})) for seed in (1, 1, 2))
    assert np.array_equal(first.weights.vectors, again.weights.vectors)
    assert not np.array_equal(first.weights.vectors, other.weights.vectors)


def test_a_history_without_a_basket_of_two_gives_an_encoder_that_knows_nothing_but_answers() -> None:
    known = history([Bought(START, 0, (3,)), Bought(START + DAY, 1, (4,))])
    encoder = fitted(known)
    context = Context(with_encoder(known, encoder), ShopperState.empty(), np.empty(0, dtype=np.int32), float(LATE))
    assert np.isfinite(encoder.score(context.encoded, EVERYTHING)).all()


def test_the_order_of_the_cart_does_not_matter_to_the_vector() -> None:
    known = history(pairs_of_products())
    encoder = fitted(known)
    past, age = np.array([1, 5, 1], dtype=np.int32), np.array([9.0, 3.0, 1.0])
    one, other = (encoder.encode(np.array(cart, np.int32), past, age, LATE) for cart in ([2, 7, 9], [9, 2, 7]))
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_nearest_products_in_stock_are_candidates() -> None:
    known = history(pairs_of_products())
    encoder = fitted(known)
    context = Context(with_encoder(known, encoder), ShopperState.empty(), np.array([2], np.int32), float(LATE))
    limits = SETTINGS.candidates.model_copy(
        update={"cooccurrence": 0, "history": 0, "popular": 0, "neural": 4, "unsold": 0}
    )
    best = np.argsort(-encoder.score(context.encoded, EVERYTHING))[:4]
    assert generate(context, limits).tolist() == sorted(set(best.tolist()) - {2})
    scarce = replace(matrix_at(known, LATE), catalogue=replace(known.catalogue, in_stock=EVERYTHING < 6))
    assert EncoderFit(known, ZONE, SMALL).until(scarce, LATE).lively.max() < 6


def test_a_product_nobody_bought_is_a_candidate_where_its_category_belongs() -> None:
    # 0, 3, 6, 9 are one category and 1, 4, 7, 10 another; of each the last one is new.
    pairs = [(0, 3), (1, 4), (3, 6), (4, 7), (0, 6), (1, 7)]
    known = history([Bought(START + day * DAY, day % 4, pairs[day % 6]) for day in range(120)])
    encoder = fitted(known, encoder=SMALL.model_copy(update={"epochs": 30, "learning_rate": 0.01}))
    assert {9, 10} <= set(encoder.unsold.tolist())
    assert not {0, 1, 3, 4, 6, 7} & set(encoder.unsold.tolist())
    limits = only(unsold=1)
    for cart, newcomer in ((0, 9), (1, 10)):
        context = Context(with_encoder(known, encoder), ShopperState.empty(), np.array([cart], np.int32), float(LATE))
        assert generate(context, limits).tolist() == [newcomer]


def test_a_gpu_that_is_not_there_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="TILLWISE_ENCODER__DEVICE"):
        EncoderFit(history(pairs_of_products()), ZONE, SMALL.model_copy(update={"device": "cuda"}))


def test_a_habit_is_what_was_bought_before_at_every_scale_of_time() -> None:
    known = history(pairs_of_products())
    network = EncoderNetwork(matrix_at(known, LATE), 16)
    rng = np.random.default_rng(2)
    draws = Purchases(known, ZONE).draw(np.arange(60, 80), rng, cart=4, hidden=2, history=SMALL.history)
    batch = _batch(draws, *_Sampler(np.ones(12), 6).sample(draws.hidden, rng), torch.device("cpu"))
    competing = batch.items[batch.sampled].tolist()
    expected = np.zeros((20, len(competing)))
    for row, place in np.ndindex(*expected.shape):
        age = draws.age[row][draws.history[row] == competing[place]]
        rate = np.exp(-age[:, None] / np.array(HABITS)).sum(axis=0)
        expected[row, place] = (0.5 * np.log1p(5.0 * rate)).sum()
    assert (expected > 0).any()
    assert (expected == 0).any()
    np.testing.assert_allclose(network.habits(batch).detach().numpy(), expected, rtol=1e-4, atol=1e-6)
