"""Simulated shoppers: their behaviour against its own chances, their calls against the real service."""

from __future__ import annotations

import io
import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from configs import Settings, load_settings
from configs.errors import PartError
from configs.settings import BehaviourSettings
from events.session import decode_session, session_key
from pipelines.shopping import BATCH, RECOMMENDATIONS
from pipelines.traffic.behaviour import Deed, Market, Offer, deeds
from pipelines.traffic.figures import figures_of
from pipelines.traffic.report import caption, traffic_table
from pipelines.traffic.run import simulate
from pipelines.traffic.shopper import Visited
from pipelines.traffic.visits import Visit, plan_visits
from tests.support.live import Live
from tests.support.ports import free_port
from tests.support.waiting import wait_until

NOTHING_KNOWN = Market({}, {})
EAGER: dict[str, float] = {"patience": 1.0, "take": 1.0, "curiosity": 0.0, "impulse": 0.0, "dear": 3.0}
LIST = [Offer(name, 2.0) for name in "abcd"]


@dataclass
class FakeBasket:
    """A basket with two visible products and one hidden."""

    order_id: str = "o1"
    shopper_id: str = "s1"
    placed_at: int = 1_512_345_600
    cart: list[str] = field(default_factory=lambda: ["p9", "p10"])
    hidden: list[str] = field(default_factory=lambda: ["p3"])


def behaviour(**changes: float) -> BehaviourSettings:
    return BehaviourSettings(**(EAGER | changes))


def acts(
    offers: list[Offer], wanted: str, ways: BehaviourSettings, market: Market = NOTHING_KNOWN, seed: int = 1
) -> list[Deed]:
    return list(deeds(offers, set(wanted), market, ways, random.Random(seed)))


def test_an_eager_shopper_clicks_and_adds_what_the_real_one_bought_and_nothing_else() -> None:
    assert acts(LIST, "bd", behaviour()) == [Deed(1, "click"), Deed(1, "add"), Deed(3, "click"), Deed(3, "add")]


def test_without_patience_only_the_first_place_is_looked_at() -> None:
    assert acts(LIST, "bd", behaviour(patience=0.0)) == []
    assert acts(LIST, "ad", behaviour(patience=0.0)) == [Deed(0, "click"), Deed(0, "add")]


def test_what_is_shown_far_too_dear_is_not_added() -> None:
    market = Market(dict.fromkeys("abcd", 2.0), {})
    assert len(acts(LIST, "abcd", behaviour(), market)) == 8
    assert acts([replace(offer, price=200.0) for offer in LIST], "abcd", behaviour(), market) == []


def test_each_place_is_reached_and_taken_as_often_as_the_chances_say() -> None:
    ways, runs = behaviour(patience=0.8, take=0.5), 20_000
    chance = random.Random(5)
    found = Counter(deed.place for _ in range(runs) for deed in deeds(LIST, set("ad"), NOTHING_KNOWN, ways, chance))
    for place, expected in ((0, 0.5), (3, 0.8**3 * 0.5)):
        assert found[place] / 2 / runs == pytest.approx(expected, abs=0.015)  # over four standard errors


def test_chance_adds_the_best_seller_and_never_what_nobody_buys() -> None:
    ways, market, runs = behaviour(take=0.0, impulse=0.2), Market({}, {"a": 1.0, "b": 0.5}), 20_000
    chance = random.Random(5)
    found = Counter(deed.place for _ in range(runs) for deed in deeds(LIST, set(), market, ways, chance))
    assert found[0] / 2 / runs == pytest.approx(0.2, abs=0.015)
    assert found[1] / 2 / runs == pytest.approx(0.1, abs=0.015)
    assert set(found) == {0, 1}


@given(count=st.integers(1, 60), seed=st.integers(0, 5))
def test_few_baskets_make_many_visitors_each_of_whom_is_somebody_else(count: int, seed: int) -> None:
    baskets = [FakeBasket(cart=[f"p{number}", "p0"]) for number in range(1, 8)]
    visits = list(plan_visits(baskets, count, seed, "run"))
    assert len({visit.name for visit in visits}) == count
    assert all("simulated" in visit.name for visit in visits)
    taken = Counter(visit.cart[1] for visit in visits)
    assert max(taken.values()) - (min(taken.values()) if count >= 7 else 0) <= 1
    assert visits == list(plan_visits(baskets, count, seed, "run"))


def test_the_hidden_rest_is_told_to_nobody() -> None:
    (visit,) = plan_visits([FakeBasket()], 1, 1, "run")
    assert "p3" not in str((visit.arrival(1e9), visit.question(6), visit.departure("r", [], [], 1e9)))


def test_what_is_clicked_and_added_names_its_answer_and_its_place_and_is_ordered() -> None:
    visit = Visit("v", "1", ["p1"], frozenset("b"))
    calls = visit.departure("r1", LIST, [Deed(1, "click"), Deed(1, "add")], 1e9)["batch"]
    assert [call["event"] for call in calls] == ["Product Clicked", "Product Added", "Order Completed"]
    for call in calls[:2]:
        assert call["properties"] == {"request_id": "r1", "position": 2, "product_id": "b", "quantity": 1, "price": 2.0}
    assert [line["product_id"] for line in calls[2]["properties"]["products"]] == ["p1", "b"]
    messages = [call["messageId"] for call in visit.arrival(1e9)["batch"] + calls]
    assert len(set(messages)) == len(messages)


def test_figures_count_answers_by_model_and_failed_calls_by_kind() -> None:
    good = Visited(requests=3, answered=True, version="m", shown=4, clicks=2, adds=1, hits=1, latency_ms=5.0)
    visits = [good, replace(good, adds=0, clicks=0), Visited(requests=1, errors=["503"])]
    found = figures_of(visits, 2.0)
    assert found["simulated"] is True
    assert (found["sessions"], found["requests"], found["errors"], found["unanswered"]) == (3, 7, {"503": 1}, 1)
    (group,) = found["groups"]
    assert (group["sessions"], group["attach_rate"], group["click_rate"]) == (2, 0.5, 0.25)
    assert group["attach_ci95"] == [0.0126, 0.9874]  # of one in two: 1 - sqrt(0.975), sqrt(0.975)


def test_the_table_says_that_the_shoppers_are_simulated() -> None:
    report = figures_of([Visited(requests=3, answered=True, version="m", shown=4)], 2.0)
    out = io.StringIO()
    Console(file=out, width=300).print(traffic_table(report | {"caption": caption(load_settings(), "a shop")}))
    assert "Simulated shoppers" in out.getvalue()
    assert "SIMULATED shoppers, no people: real held-out baskets of a shop" in out.getvalue()


def with_traffic(settings: Settings, **changes: Any) -> Settings:
    return settings.model_copy(update={"traffic": settings.traffic.model_copy(update=changes)})


@pytest.fixture(scope="module")
def played(live_service: Live) -> dict[str, Any]:
    settings = with_traffic(live_service.settings, sessions=40, rate=200.0, concurrency=4, think_seconds=0.0, k=5)
    return simulate(settings)


@pytest.mark.e2e
def test_the_service_takes_every_call_of_a_visit(played: dict[str, Any]) -> None:
    assert (played["sessions"], played["requests"], played["errors"]) == (40, 120, {})
    assert sum(group["sessions"] for group in played["groups"]) == 40


@pytest.mark.e2e
def test_a_visit_leaves_an_order_behind_for_a_person_of_its_own(live_service: Live) -> None:
    calls = Visit("simulated-test", "1", ["p1"], frozenset()).departure("r1", [], [], 1e9)
    assert live_service.post(BATCH, calls).json()["accepted"] == 1

    def ordered() -> tuple[str, ...]:
        with redis.Redis.from_url(live_service.settings.redis_url) as client:
            raw: Any = client.get(session_key("simulated-test"))
        return tuple(decode_session(raw, "simulated-test").orders)

    wait_until(lambda: ordered() == ("simulated-test-order",))


@pytest.mark.e2e
def test_the_question_is_one_that_the_service_answers(live_service: Live) -> None:
    visit = Visit("simulated-question", "1", ["p1"], frozenset())
    assert live_service.post(RECOMMENDATIONS, visit.question(5)).status_code == 200


def test_without_a_service_it_says_how_to_start_one(built_shop: Settings) -> None:
    serving = built_shop.serving.model_copy(update={"port": free_port()})
    with pytest.raises(PartError, match="start it with `tillwise up`"):
        simulate(built_shop.model_copy(update={"serving": serving}))
