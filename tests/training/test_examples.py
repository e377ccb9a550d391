"""Draws stay whole, whatever part of the examples is taken."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from training.examples import Examples


def numbered(*sizes: int) -> Examples:
    """Return draws of these sizes; a row's feature is the number of its draw, its first candidate was hidden."""
    draw = np.repeat(np.arange(len(sizes)), sizes)
    first = np.concatenate([[True], np.diff(draw) > 0])
    group = np.array(sizes, dtype=np.int32)
    return Examples(draw[:, None].astype(np.float32), first.astype(np.int8), group, tried=99)


def test_some_draws_are_whole_draws_in_their_order_and_the_same_ones_every_time() -> None:
    examples = numbered(*range(1, 21))
    some = examples.some(5, seed=3)
    assert some.group.size == 5
    assert some.tried == 99
    names = some.features[np.cumsum(some.group) - some.group, 0].astype(int)
    assert (np.diff(names) > 0).all()
    np.testing.assert_array_equal(some.group, names + 1)
    np.testing.assert_array_equal(some.features[:, 0], np.repeat(names, some.group))
    assert some.label.sum() == 5
    np.testing.assert_array_equal(examples.some(5, seed=3).features, some.features)
    assert (examples.some(5, seed=4).features.shape, examples.some(5, seed=4).features.tolist()) != (
        some.features.shape,
        some.features.tolist(),
    )


def test_all_draws_are_kept_where_there_are_no_more_than_wanted() -> None:
    examples = numbered(2, 3)
    assert examples.some(2, seed=1) is examples


def test_only_draws_that_hold_a_hidden_product_are_reached() -> None:
    examples = numbered(2, 3, 4)
    examples.label[2] = 0
    reached = examples.reached()
    assert reached.features[:, 0].tolist() == [0, 0, 2, 2, 2, 2]
    assert reached.group.tolist() == [2, 4]


def test_joined_draws_follow_each_other_and_weigh_1_where_nothing_else_is_told() -> None:
    plain, weighted = numbered(2, 3), replace(numbered(1, 2), weight=np.array([5, 7, 7], dtype=np.float32))
    assert plain.joined(numbered(4)).weight is None
    for both, expected in (
        (plain.joined(weighted), [1, 1, 1, 1, 1, 5, 7, 7]),
        (weighted.joined(plain), [5, 7, 7, 1, 1, 1, 1, 1]),
    ):
        assert both.weight is not None
        assert both.weight.tolist() == expected
        assert (both.group.sum(), both.tried) == (8, 198)
    both = plain.joined(weighted)
    assert both.group.tolist() == [2, 3, 1, 2]
    assert both.features[:, 0].tolist() == [0, 0, 1, 1, 1, 0, 1, 1]
    assert both.label.tolist() == [1, 0, 1, 0, 0, 1, 1, 0]


def test_a_weight_stays_with_its_draw() -> None:
    examples = numbered(*range(1, 21))
    weighted = replace(examples, weight=examples.features[:, 0] + 1)
    some = weighted.some(5, seed=3)
    assert some.weight is not None
    assert some.weight.tolist() == (some.features[:, 0] + 1).tolist()
