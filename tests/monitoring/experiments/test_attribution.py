"""What came of what was shown, read from SQLite and PostgreSQL, against an oracle that loops over events."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from sqlalchemy import true

from configs import load_settings
from events.contract import Line
from events.record.attribution import Attribution, ordered, touched, with_exposures
from monitoring.experiments.reading import Chosen, Rows, experiments, read_rows
from tests.events.builders import NOW
from tests.events.record.conftest import NewRecord
from tests.events.record.support import refund
from tests.monitoring.experiments.support import EXPERIMENT, Shop, answer, bought, done

WINDOW = load_settings().monitoring.attribution_minutes * 60


def read(shop: Shop, since: float | None = None) -> Rows:
    return read_rows(shop.settings, Chosen(EXPERIMENT, since))


def test_an_add_without_a_request_is_of_the_newest_answer_of_its_session_that_showed_the_product(shop: Shop) -> None:
    shop.shows(
        answer("r1", "p1", "p2", at=NOW),
        answer("r2", "p1", at=NOW + 10),
        answer("r3", "p3", at=NOW + 20),
        answer("r4", "p1", at=NOW + 15, session="s2"),
        answer("r5", "p1", at=NOW + 90),  # after the add
    )
    shop.does("add", "p1", message="1")
    shop.does("click", "p2", message="2")
    shop.does("add", "unseen", message="3")
    assert read(shop).touched == [("r1", "p2", 1, 0), ("r2", "p1", 0, 1)]


def test_what_names_its_request_is_of_that_one_whatever_is_newer_or_which_clock_is_behind(shop: Shop) -> None:
    shop.shows(answer("r1", "p1", at=NOW), answer("r2", "p1", at=NOW + 10))
    shop.does("click", "p1", message="1", request_id="r1")
    shop.does("add", "p1", message="2", request_id="r1", at=NOW - 5, session="elsewhere")
    shop.does("add", "p2", message="3", request_id="r1")  # it did not show that
    shop.does("add", "p1", message="4", request_id="never recorded")
    assert read(shop).touched == [("r1", "p1", 1, 1)]


def test_only_what_happens_inside_the_window_counts(shop: Shop) -> None:
    shop.shows(answer("r1", "p1", "p2", "p3", at=NOW))
    shop.does("add", "p1", message="1", at=NOW + WINDOW)
    shop.does("add", "p2", message="2", at=NOW + WINDOW + 1)
    shop.does("add", "p3", message="3", at=NOW + WINDOW + 1, request_id="r1")
    shop.orders("o1", Line("p1"), Line("p2"), at=NOW + WINDOW + 1)
    found = read(shop)
    assert found.touched == [("r1", "p1", 0, 1)]
    assert found.ordered == []


def test_an_ordered_line_is_of_the_answer_it_was_added_from_else_of_the_newest(shop: Shop) -> None:
    shop.shows(
        answer("r1", "p1", "p2", at=NOW, price=9.0, worth=1.25),
        answer("r2", "p1", "p2", at=NOW + 10, price=9.0, worth=1.5),
    )
    shop.does("add", "p1", message="1", request_id="r1")
    shop.orders("o1", Line("p1", 2.0, 3.0, 0.5), Line("p2", 3.0))
    shop.orders("o2", Line("p1", 1.0, 4.0), at=NOW + 130)
    assert read(shop).ordered == [("r1", "p1", 3.0, 9.5, 3.75), ("r2", "p2", 3.0, 27.0, 4.5)]


def test_the_last_touch_may_be_outside_the_experiment(shop: Shop) -> None:
    shop.shows(answer("r1", "p1"), answer("r2", "p1", at=NOW + 5, arm=None))
    shop.does("add", "p1", message="1")
    shop.orders("o1", Line("p1"))
    found = read(shop)
    assert (found.touched, found.ordered) == ([], [])
    assert [row[0] for row in found.exposures] == ["r1"]


def test_what_was_shown_before_since_is_left_out_with_what_came_of_it(shop: Shop) -> None:
    shop.shows(answer("r1", "p1"), answer("r2", "p2", at=NOW + 10))
    shop.does("add", "p1", "p2", message="1")
    found = read(shop, since=NOW + 10)
    assert [row[0] for row in found.exposures] == ["r2"]
    assert found.touched == [("r2", "p2", 0, 1)]
    assert found.shown == [("control", "p2", 1)]


def test_places_of_chance_are_those_with_a_propensity_below_one(shop: Shop) -> None:
    shop.shows(answer("r1", "p1", "p2", propensities=[1.0, 0.05]), answer("r2", "p1", propensities=[None]))
    assert read(shop).places == [("r1", 1, "p2", 0.05)]


def test_experiments_are_named_newest_first(shop: Shop) -> None:
    assert experiments(shop.settings) == []
    shop.shows(
        answer("r1", "p", at=NOW + 9, experiment="a"),
        answer("r2", "p", at=NOW, experiment="a"),
        answer("r3", "p", at=NOW + 20, experiment="b"),
        answer("r4", "p", at=NOW + 30, arm=None),
    )
    assert experiments(shop.settings) == ["b", "a"]


def test_delivering_and_reading_again_changes_nothing(shop: Shop) -> None:
    shop.shows(answer("r1", "p1"))
    for _ in range(2):
        shop.does("add", "p1", message="1")
        shop.does("add", "p1", message="another click on add")
        shop.orders("o1", Line("p1", 1.0, 2.0))
    first = read(shop)
    assert first.touched == [("r1", "p1", 0, 1)]
    assert first.ordered == [("r1", "p1", 1.0, 2.0, 0.5)]
    assert read(shop) == first


def test_what_is_given_back_is_subtracted_with_its_share_of_the_money(shop: Shop) -> None:
    shop.shows(answer("r1", "p1", "p2", worth=1.0))
    shop.orders("o1", Line("p1", 2.0, 3.0, 1.0), Line("p1", 2.0, 5.0), Line("p2", 1.0, 7.0))
    shop.record.store(refund("o1", Line("p1", 1.0), message="1"))
    assert read(shop).ordered == [("r1", "p1", 3.0, 11.25, 3.0), ("r1", "p2", 1.0, 7.0, 1.0)]
    shop.record.store(refund("o1", Line("p1", 9.0), message="2"), refund("other", message="3"))
    assert read(shop).ordered == [("r1", "p1", 0.0, 0.0, 0.0), ("r1", "p2", 1.0, 7.0, 1.0)]
    shop.record.store(refund("o1", message="4"))
    assert [row[2:] for row in read(shop).ordered] == [(0.0, 0.0, 0.0)] * 2


def test_what_is_told_too_late_to_be_known_does_not_count(shop: Shop) -> None:
    shop.shows(answer("r1", "p1", "p2"))
    shop.does("add", "p1", message="1", at=NOW + 10)
    shop.orders("o1", Line("p1"), at=NOW + 20)
    shop.record.store(refund("o1", at=NOW + 30, message="2"))

    def known(before: float) -> tuple[list[Any], list[Any]]:
        with with_exposures(shop.settings) as connection:
            assert connection is not None
            how = Attribution.of(shop.settings, connection, before)
            asked = (kind(how, lambda _: true()) for kind in (touched, ordered))
            added, sold = ([tuple(row)[1:] for row in connection.execute(statement)] for statement in asked)
            return added, [row[:2] for row in sold]

    assert known(NOW + 10) == ([], [])
    assert known(NOW + 11) == ([("p1", 0, 1)], [])
    assert known(NOW + 21) == ([("p1", 0, 1)], [("p1", 1.0)])
    assert known(NOW + 31) == ([("p1", 0, 1)], [("p1", 0.0)])


def test_a_record_of_an_older_version_knows_of_nothing_given_back(shop: Shop) -> None:
    shop.shows(answer("r1", "p1"))
    shop.orders("o1", Line("p1", 2.0, 3.0))
    with shop.record.engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE refunds")
    assert read(shop).ordered == [("r1", "p1", 2.0, 6.0, 1.0)]


@pytest.mark.parametrize("touch", ["last", "any"])
@pytest.mark.parametrize("seed", range(3))
def test_random_shops_are_read_as_the_oracle_reads_them(new_record: NewRecord, seed: int, touch: str) -> None:
    shop = Shop(new_record(), attribution_touch=touch)
    told = random_shop(np.random.default_rng(seed))
    shop.shows(*told["answers"])
    outcomes = (done(kind, *products, **facts) for kind, products, facts in told["outcomes"])
    orders = (bought(name, *lines, at=at, session=session) for name, lines, at, session in told["orders"])
    shop.record.store(*outcomes, *orders, *(refund(name, *lines, message=key) for key, name, lines in told["refunds"]))
    found, expected = read(shop), oracle(told, touch)
    assert found.touched == expected[0]
    assert [row[:2] for row in found.ordered] == [row[:2] for row in expected[1]]
    assert np.array([row[2:] for row in found.ordered]) == pytest.approx(np.array([row[2:] for row in expected[1]]))
    assert len(found.touched) > 10
    assert len(found.ordered) > 10


def random_shop(generator: np.random.Generator) -> dict[str, Any]:
    """Return answers, outcomes and orders of a few sessions that see few products, so that much coincides."""

    def pick(*names: Any) -> Any:
        return names[generator.integers(len(names))]

    def some(most: int) -> list[str]:
        return [f"p{number}" for number in generator.permutation(6)[: generator.integers(1, most)]]

    def when() -> float:
        return NOW + float(generator.integers(0, 8)) * WINDOW / 4

    answers = [
        answer(
            f"r{number:02d}", *some(5), at=when(), session=pick("s1", "s2", None), arm=pick("control", "other", None)
        )
        for number in range(40)
    ]
    outcomes = []
    for number in range(150):
        request = pick(None, None, f"r{generator.integers(45):02d}")
        facts = {"message": f"m{number}", "at": when(), "session": pick("s1", "s2"), "request_id": request}
        outcomes.append((pick("click", "add", "impression"), some(3), facts))
    orders = [
        (
            f"o{number}",
            [Line(product, float(generator.integers(1, 4)), pick(None, 1.5), pick(0.0, 0.25)) for product in some(5)],
            when(),
            pick("s1", "s2"),
        )
        for number in range(25)
    ]
    refunds = [
        (f"b{number}", f"o{generator.integers(25)}", [Line(name, float(generator.integers(1, 3))) for name in some(5)])
        for number in range(8)
    ]
    refunds += [(f"w{number}", f"o{generator.integers(25)}", []) for number in range(3)]
    return {"answers": answers, "outcomes": outcomes, "orders": orders, "refunds": refunds}


def oracle(told: dict[str, Any], touch: str) -> tuple[list[Any], list[Any]]:
    """Return (touched, ordered) as `Rows` has them, by going through what happened one by one."""
    shown = {row["request_id"]: (row, {line["product_id"]: line for line in lines}) for row, lines in told["answers"]}
    touches: dict[tuple[str, str], set[str]] = defaultdict(set)

    def candidates(session: str, product: str, at: float) -> list[str]:
        able = [
            name
            for name, (row, lines) in shown.items()
            if row["session_id"] == session and product in lines and row["at"] <= at <= row["at"] + WINDOW
        ]
        return sorted(able, key=lambda name: (shown[name][0]["at"], name))

    for kind, products, facts in told["outcomes"]:
        if kind == "impression":
            continue
        for product in products:
            request = facts["request_id"]
            if request is None or touch == "any":
                able = candidates(facts["session"], product, facts["at"])
                for name in able if touch == "any" else able[-1:]:
                    touches[name, product].add(kind)
            if request in shown and product in shown[request][1] and facts["at"] <= shown[request][0]["at"] + WINDOW:
                touches[request, product].add(kind)
    sold: dict[tuple[str, str], np.ndarray] = defaultdict(lambda: np.zeros(3))
    for order_id, lines, at, session in told["orders"]:
        for line in lines:
            bought = sum(one.quantity for one in lines if one.product_id == line.product_id)
            back = [given for _, name, given in told["refunds"] if name == order_id]
            named = sum(one.quantity for given in back for one in given if one.product_id == line.product_id)
            share = 0.0 if [] in back else max(0.0, 1 - named / bought)
            able = candidates(session, line.product_id, at)
            added = [name for name in able if "add" in touches.get((name, line.product_id), ())]
            for name in able if touch == "any" else (added or able)[-1:]:
                offer = shown[name][1][line.product_id]
                price = offer["price"] if line.price is None else line.price
                worth = line.quantity * offer["worth"]
                paid = line.quantity * price - line.discount
                sold[name, line.product_id] += np.multiply(share, (line.quantity, paid, worth))
    ours = {name for name, (row, _) in shown.items() if row["experiment_arm"] is not None}
    taken = [(*pair, int("click" in kinds), int("add" in kinds)) for pair, kinds in touches.items() if pair[0] in ours]
    return sorted(taken), [(*pair, *sums) for pair, sums in sorted(sold.items()) if pair[0] in ours]
