"""A basket becomes the events that a shopper's browser would have sent, and the same ones each time."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from pipelines.replay.plan import plan_session, plan_sessions

MOMENT = 1_512_345_600


@dataclass
class FakeBasket:
    """A basket with two visible products and one hidden."""

    order_id: str = "o1"
    shopper_id: str = "s1"
    placed_at: int = MOMENT
    cart: list[str] = field(default_factory=lambda: ["p9", "p10"])
    hidden: list[str] = field(default_factory=lambda: ["p3"])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_each_visible_product_is_viewed_and_added_before_the_checkout_starts() -> None:
    session = plan_session(FakeBasket(), "run")
    assert [(event["event"], event["properties"].get("product_id")) for event in session.batch["batch"]] == [
        ("Product Viewed", "p10"),
        ("Product Added", "p10"),
        ("Product Viewed", "p9"),
        ("Product Added", "p9"),
        ("Checkout Started", None),
        ("Checkout Step Viewed", None),
    ]


def test_events_carry_session_shopper_and_times_that_end_at_the_basket() -> None:
    session = plan_session(FakeBasket(), "run")
    times = [seconds(event["timestamp"]) for event in session.batch["batch"]]
    assert times == [MOMENT - 25, MOMENT - 20, MOMENT - 15, MOMENT - 10, MOMENT - 5, MOMENT]
    assert seconds(session.identify["timestamp"]) < times[0]
    assert seconds(session.batch["sentAt"]) == seconds(session.identify["sentAt"]) == MOMENT
    for call in (session.identify, *session.batch["batch"]):
        assert call["context"]["sessionId"] == session.session_id == "replay-run-o1"
        assert call["userId"] == "s1"


def test_the_question_names_the_session_and_the_basket_s_moment_but_not_its_cart() -> None:
    question = plan_session(FakeBasket(), "run").question("model", 10)
    assert set(question) == {"session_id", "k", "arm", "at"}
    assert seconds(question["at"]) == MOMENT


def test_nothing_hidden_is_ever_sent() -> None:
    session = plan_session(FakeBasket(), "run")
    assert "p3" not in str(session.identify) + str(session.batch) + str(session.question("model", 10))


def test_two_replays_differ_only_in_their_run_id() -> None:
    first, second = plan_session(FakeBasket(), "a1"), plan_session(FakeBasket(), "b2")
    assert str(first.batch).replace("replay-a1-", "replay-b2-") == str(second.batch)
    assert first.session_id != second.session_id


@given(count=st.integers(1, 60), seed=st.integers(0, 5))
def test_the_sample_is_fixed_by_its_seed_and_played_oldest_first(count: int, seed: int) -> None:
    baskets = [FakeBasket(order_id=f"o{number}", placed_at=MOMENT - 7 * (number % 13)) for number in range(40)]
    sessions = plan_sessions(baskets, count, seed, "run")
    assert len(sessions) == min(count, 40)
    assert len({session.session_id for session in sessions}) == len(sessions)
    assert [session.asked_at for session in sessions] == sorted(session.asked_at for session in sessions)
    assert sessions == plan_sessions(baskets, count, seed, "run")
