"""The serving benchmark measures what it says, reports it and keeps to its own parts. Its figures are nobody's test."""

from __future__ import annotations

import itertools
import os
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from benchmarks.bench import Found, measure, print_tables
from benchmarks.serving_bench import growth, recommendations
from benchmarks.serving_bench.cases import candidates_of, plan, play
from benchmarks.serving_bench.generator import Outcome, run
from benchmarks.serving_bench.load import Load, Offer, in_turn, joined, steady, summed_up
from benchmarks.serving_bench.peers import Side
from benchmarks.serving_bench.stack import Memory, memory_of
from benchmarks.serving_bench.synthetic import grown
from benchmarks.serving_bench.targets import Target, of_growth
from benchmarks.serving_bench.tutorial import Asked, ranked
from benchmarks.wire import request
from configs import Settings
from configs.errors import ConfigError, PartError
from features.definitions import COLUMNS
from features.shopper import ShopperState
from features.store import open_store
from pipelines.parts.own import Service
from tests.support.live import Live
from training.package import RANKER, ModelPackage
from training.recommender import Recommender

ASK = [request("GET", "/")]
STALL_SECONDS = 0.4


@contextmanager
def server(*answers: tuple[int, str], stall_at: int = -1) -> Iterator[int]:
    """Run a server that gives the answers in turn and once does nothing for a while; yield its port."""
    given, one_at_a_time = itertools.count(), threading.Lock()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                with one_at_a_time:  # so that a stall keeps everybody waiting, as a garbage collection would
                    self.answer(next(given))

        def answer(self, number: int) -> None:
            if number == stall_at:
                time.sleep(STALL_SECONDS)
            status, body = answers[number % len(answers)]
            self.wfile.write(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
        thread.start()
        yield listening.server_address[1]
        listening.shutdown()
        thread.join()


def test_a_stall_counts_against_every_request_that_was_due_in_it() -> None:
    with server((200, ""), stall_at=20) as port:
        outcome = run(port, ASK, connections=4, seconds=1.0, rate=100.0)
    assert sum(outcome.statuses.values()) == 100
    slow = [taken for taken in outcome.milliseconds if taken > 1e3 * STALL_SECONDS / 2]
    assert len(slow) >= 15  # 20 were due in half of the stall; a closed loop would tell of 4
    assert max(outcome.milliseconds) >= 1e3 * STALL_SECONDS


def test_refusals_and_fallbacks_are_counted_apart_from_answers() -> None:
    answers = ((200, '{"fallback":null}'), (200, '{"fallback":{"arm":"popularity"}}'), (429, ""), (204, ""))
    with server(*answers) as port:
        outcome = run(port, ASK, connections=1, seconds=0.4, rate=100.0)
    assert outcome.statuses == {"200": 20, "429": 10, "204": 10}
    assert outcome.fallbacks == 10
    found = summed_up(outcome)
    assert (found.asked, found.failed, found.fallbacks) == (40, 10, 10)
    assert found.p50 <= found.p95 <= found.p99 <= found.longest


def test_figures_are_those_of_numpy() -> None:
    taken = [float(number) for number in range(1, 101)]
    found = summed_up(Outcome(taken, [0.5] * 100, {"200": 100, "0": 25}, 0, 4.0))
    assert (found.p50, found.p99) == tuple(np.percentile(taken, [50, 99]))
    assert (found.per_second, found.asked, found.failed, found.longest, found.lag) == (25.0, 125, 25, 100.0, 0.5)


def test_a_load_without_any_success_is_an_error() -> None:
    with server((503, "")) as port, pytest.raises(PartError, match=r"'503'"):
        in_turn([steady(port, ASK, rate=50.0)], seconds=0.1)


def test_offers_are_made_in_turn_and_told_apart() -> None:
    with server((200, "")) as port, server((204, "")) as other:
        closed, steadily = in_turn([Offer(port, ASK, connections=2), steady(other, ASK, rate=50.0)], seconds=0.4)
    assert steadily.asked == 20  # the warm-up not counted
    assert closed.asked > 50  # as soon as it is answered
    assert closed.failed == steadily.failed == 0


def test_turns_add_up() -> None:
    both = joined([Outcome([1.0], [0.1], {"200": 1}, 1, 2.0), Outcome([2.0], [0.2], {"200": 1, "429": 3}, 0, 3.0)])
    assert both == Outcome([1.0, 2.0], [0.1, 0.2], {"200": 2, "429": 3}, 1, 5.0)


@pytest.mark.e2e
def test_recommendations_are_measured_on_carts_that_came_through_the_event_path(live_service: Live) -> None:
    settings = live_service.settings
    plans = plan(settings, 12)
    up = Service(settings, pid=os.getpid(), start_seconds=0.0)
    play(up, plans)
    found = recommendations.measure(up, plans, seconds=0.3)
    for load in (found.offered, found.most, found.floor_offered, found.floor_most):
        assert load.failed == 0
        assert 0 < load.p50 <= load.p99
    assert 0 < found.redis.p50 <= found.redis.p99
    package = ModelPackage.load(settings.work.model)
    candidates = candidates_of(settings, package, plans)
    for session, asked in zip(plans, candidates, strict=True):
        assert not session.cart & set(asked.products)
        assert asked.features.shape == (len(asked.products), len(COLUMNS))

    model = lgb.Booster(model_file=settings.work.model / RANKER)
    best = ranked(open_store(settings), model, Asked(shopper_id=plans[0].shopper_id, candidates=candidates[0].products))
    scores = [item["score"] for item in best]
    assert scores == sorted(scores, reverse=True)
    assert {item["product_id"] for item in best} <= set(candidates[0].products)


def test_a_synthetic_catalogue_is_a_package_like_any_other(package: ModelPackage, tmp_path: Path) -> None:
    real, size = package.matrix, 3 * len(package.products) - 5
    grown(package, size, tmp_path)
    copy = ModelPackage.load(tmp_path)
    assert copy.data.startswith("synthetic")
    ids = list(copy.products.ids)
    assert len(set(ids)) == size
    assert ids == sorted(ids)
    assert set(package.products.ids) <= set(ids)
    source = [package.matrix.row_of[name.partition("~")[0]] for name in ids]
    assert [copy.products.categories[row] for row in range(size)] == [real.catalogue.categories[at] for at in source]
    cosine = copy.matrix.together.cosine
    for row in (0, size // 2, size - 1):
        partners, weights, _ = cosine.rows(np.array([row], dtype=np.int32))
        of_source, same, _ = real.together.cosine.rows(np.array([source[row]], dtype=np.int32))
        assert [source[partner] for partner in partners] == of_source.tolist()
        np.testing.assert_array_equal(weights, same)
    found = Recommender(copy).recommend(package.products.ids[:3], ShopperState.empty(), float(copy.as_of), 10)
    assert len(found) == 10


def test_fewer_synthetic_products_than_real_ones_are_refused(built_shop: Settings, package: ModelPackage) -> None:
    with pytest.raises(ConfigError, match="give at least as many"):
        growth.measure(built_shop, [], package, products=1, seconds=1.0)


def test_memory_of_its_own_grows_by_what_a_process_fills() -> None:
    before = memory_of(os.getpid())
    filled = np.ones(8 << 20)
    grew = memory_of(os.getpid()).own - before.own
    assert grew == pytest.approx(filled.nbytes / 2**20, abs=8)


def load_of(p99: float) -> Load:
    return Load(p99 / 3, p99 / 2, p99, p99, 100.0, 2_000, 0, 0, 0.1)


def test_a_target_is_met_at_its_bound_and_not_beyond() -> None:
    assert Target("slowness", 3.0, 3.0).met
    assert not Target("slowness", 3.1, 3.0).met
    assert Target("speed", 400.0, 400.0, at_most=False).met
    assert not Target("speed", 399.0, 400.0, at_most=False).met


def test_growth_is_told_against_the_real_catalogue() -> None:
    real = growth.Size(100, 4.0, Memory(300.0, 50.0), load_of(5.0))
    large = growth.Size(1_000, 12.0, Memory(450.0, 900.0), load_of(7.5))
    assert [target.found for target in of_growth(real, large)] == [1.5, 3.0, 1.5]
    assert [target.met for target in of_growth(real, large)] == [True, False, True]


def test_every_part_has_its_table(capsys: pytest.CaptureFixture[str]) -> None:
    loads = recommendations.Recommendations(
        load_of(9.0), load_of(30.0), load_of(1.5), load_of(3.0), recommendations.RoundTrip(0.05, 0.1)
    )
    sides = {name: Side(load_of(p99), load_of(p99)) for name, p99 in (("ours", 5.0), ("mlflow", 35.0))}
    real = growth.Size(100, 4.0, Memory(300.0, 50.0), load_of(5.0))
    found = Found(321.0, loads, sides, (real, replace(real, products=1_000)), [Target("slowness", 7.0, 3.0)])
    print_tables(found)
    shown = capsys.readouterr().out
    for told in ("321 candidates", "6.0", "7.0", "1,000 products, synthetic", "≤ 3", "NO", "cart"):
        assert told in shown


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e6])
def test_a_load_without_sensible_bounds_is_refused(built_shop: Settings, seconds: float) -> None:
    with pytest.raises(ConfigError, match="expected more than 0"):
        measure(built_shop, seconds)
