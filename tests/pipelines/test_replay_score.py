"""The figures of a replay against counts done by hand."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from configs import load_settings
from pipelines.replay.report import caption
from pipelines.replay.score import PlayedSession, percentiles, score, stands_above
from pipelines.replay.table import replay_table

ARMS = ("model", "popularity")


def session(shopper: str, hidden: str, model: str, popularity: str | None = None) -> PlayedSession:
    """Return a session whose products are single letters."""
    answers = {"model": list(model)} | ({} if popularity is None else {"popularity": list(popularity)})
    return PlayedSession(
        shopper,
        frozenset(hidden),
        answers,
        latencies_ms=[2.0] * len(answers),
        requests=4,
        errors=2 - len(answers),
        applied_ms=5.0,
        cart_complete=True,
        model_versions={"v1"},
    )


SESSIONS = [
    session("ann", "ab", "axy", "xyz"),
    session("ann", "cd", "cdx", "cyz"),
    session("bob", "e", "xyz", None),
    session("cem", "f", "fxy", "xyz"),
]


def test_a_hit_is_a_list_that_holds_a_hidden_product() -> None:
    figures = score(SESSIONS, ARMS, samples=100, seed=1)
    assert figures["arms"]["model"]["hit_rate"] == 0.75
    assert figures["arms"]["popularity"]["hit_rate"] == 0.25
    assert {arm["sessions"] for arm in figures["arms"].values()} == {4}


def test_recall_counts_hidden_products() -> None:
    figures = score(SESSIONS, ARMS, samples=100, seed=1)
    assert figures["arms"]["model"]["recall"] == pytest.approx((0.5 + 1 + 0 + 1) / 4)


def test_a_failed_call_counts_as_an_error_and_a_miss() -> None:
    figures = score(SESSIONS, ARMS, samples=100, seed=1)
    assert (figures["requests"], figures["errors"]) == (16, 1)
    assert not SESSIONS[2].hit("popularity")


def test_the_same_seed_gives_the_same_interval() -> None:
    assert score(SESSIONS, ARMS, samples=100, seed=1) == score(SESSIONS, ARMS, samples=100, seed=1)


def test_an_interval_over_one_shopper_s_sessions_alone_has_no_width() -> None:
    figures = score([session("ann", "a", "a"), session("ann", "b", "x")], ("model",), samples=100, seed=1)
    assert figures["arms"]["model"]["ci95"] == [0.5, 0.5]


@given(st.lists(st.tuples(st.sampled_from("rstuvw"), st.booleans()), min_size=1, max_size=40))
def test_the_hit_rate_lies_within_its_interval_bounds_of_zero_and_one(drawn: list[tuple[str, bool]]) -> None:
    figures = score([session(who, "a", "a" if hit else "x") for who, hit in drawn], ("model",), samples=100, seed=3)
    low, high = figures["arms"]["model"]["ci95"]
    assert 0 <= low <= high <= 1
    assert figures["arms"]["model"]["hit_rate"] == pytest.approx(sum(hit for _, hit in drawn) / len(drawn), abs=1e-4)


def test_percentiles_of_nothing_are_unknown() -> None:
    assert percentiles([]) == {"p50": None, "p95": None, "p99": None}
    assert percentiles([7.0]) == {"p50": 7.0, "p95": 7.0, "p99": 7.0}


def test_intervals_that_touch_do_not_stand_above_each_other() -> None:
    figures = {"arms": {"model": {"ci95": [0.2, 0.3]}, "low": {"ci95": [0.1, 0.19]}, "near": {"ci95": [0.1, 0.2]}}}
    assert stands_above(figures, "model", "low")
    assert not stands_above(figures, "model", "near")


def test_the_table_shows_every_arm_and_says_that_sessions_are_simulated() -> None:
    report = score(SESSIONS, ARMS, samples=100, seed=1) | {"caption": caption(load_settings(), "a shop")}
    out = io.StringIO()
    Console(file=out, width=400).print(replay_table(report))
    shown = out.getvalue()
    assert "0.750" in shown
    assert "0.250" in shown
    assert "Real baskets of a shop, simulated sessions" in shown
    assert "ascending order of product id" in shown
    assert "p50 2.0 ms" in shown


def test_the_table_of_a_replay_without_a_single_answer_can_be_shown() -> None:
    nothing = PlayedSession("ann", frozenset("a"), requests=5, errors=5)
    report = score([nothing], ARMS, samples=100, seed=1) | {"caption": "none"}
    out = io.StringIO()
    Console(file=out, width=400).print(replay_table(report))
    assert "No recommendation call was answered; 5 requests, 5 errors." in out.getvalue()
