"""The encoder benchmark keeps from an encoder what it says, judges it and reports. Its figures are nobody's test."""

from __future__ import annotations

import json

import numpy as np
import pytest
from rich.console import Console

from benchmarks.encoder import EVERYTHING, INPUTS, Blind, measure, table_of
from configs import Settings
from configs.errors import ConfigError
from features.history import load_history
from tests.support.shop import quickened
from training.encoder.draws import Draws


def test_every_input_is_measured_and_reported(built_shop: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    found = measure(quickened(built_shop), INPUTS, 60)
    Console(width=100).print(table_of(found))
    assert "best 10" in capsys.readouterr().out
    assert list(found) == [EVERYTHING, *(f"without {name}" for name in INPUTS)]
    for worth in found.values():
        assert 0 <= worth.short.value <= worth.long.value <= 1
    report = json.loads((built_shop.work.reports / "encoder.json").read_text())
    assert set(report["encoders"]) == set(found)
    assert report["cases"] == 60


@pytest.mark.parametrize("without", ["", *INPUTS])
def test_draws_lack_what_is_kept_from_them_and_nothing_else(built_shop: Settings, without: str) -> None:
    history = load_history(built_shop.work.data)
    orders = np.flatnonzero(np.diff(history.start) >= 2)[-50:]

    def drawn(name: str) -> Draws:
        purchases = Blind(history, "UTC", name)
        return purchases.draw(orders, np.random.default_rng(1), cart=20, hidden=3, history=30)

    told, blind = drawn(""), drawn(without)
    np.testing.assert_array_equal(told.hidden, blind.hidden)
    assert ((blind.cart == -1).all(), (blind.history == -1).all()) == (without == "cart", without == "history")
    same = [
        np.array_equal(getattr(told, name), getattr(blind, name)) for name in ("cart", "history", "age", "situation")
    ]
    expected = {
        "cart": [False, True, True, False],
        "history": [True, False, False, False],
        "time": [True, True, True, False],
    }
    assert same == expected.get(without, [True] * 4)


def test_a_wrong_name_and_no_cases_are_told(built_shop: Settings) -> None:
    with pytest.raises(ConfigError, match="no input 'weather'"):
        measure(built_shop, ["weather"], 10)
    with pytest.raises(ConfigError, match="at least 1"):
        measure(built_shop, INPUTS, 0)
