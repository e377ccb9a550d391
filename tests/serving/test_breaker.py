"""The circuit breaker: when Redis is left alone, and when it is asked again."""

from __future__ import annotations

from configs.live import BreakerSettings
from serving.breaker import Breaker


def breaker() -> Breaker:
    return Breaker(BreakerSettings(failures=3, window_seconds=10.0, open_seconds=2.0))


def fail(one: Breaker, *moments: float) -> None:
    for moment in moments:
        assert one.admits(moment)
        one.ended(moment, good=False)


def test_it_opens_at_so_many_failures_and_then_admits_nothing() -> None:
    one = breaker()
    fail(one, 0.0, 0.1)
    assert one.state(0.1) == "closed"
    fail(one, 0.2)
    assert one.state(0.2) == "open"
    assert not one.admits(2.1)


def test_failures_that_are_rare_or_long_ago_do_not_open_it() -> None:
    one = breaker()
    fail(one, 0.0, 0.1)
    fail(one, 20.0, 20.1)
    assert one.state(20.1) == "closed"
    other = breaker()
    for moment in range(30):
        assert other.admits(moment / 10)
        other.ended(moment / 10, good=moment % 4 != 0)
    assert other.state(3.0) == "closed"


def test_after_a_while_one_call_at_a_time_probes_and_its_success_closes_it() -> None:
    one = breaker()
    fail(one, 0.0, 0.0, 0.0)
    assert one.state(2.0) == "half-open"
    assert [one.admits(2.0), one.admits(2.0)] == [True, False]
    one.ended(2.1, good=True)
    assert one.state(2.1) == "closed"
    fail(one, 2.2, 2.3)
    assert one.state(2.3) == "closed", "what failed before it opened no longer counts"


def test_a_probe_that_fails_opens_it_again_and_one_that_tells_nothing_leaves_its_place_to_the_next() -> None:
    one = breaker()
    fail(one, 0.0, 0.0, 0.0)
    assert one.admits(2.0)
    one.ended(2.1, good=None)
    assert one.admits(2.2)
    one.ended(2.3, good=False)
    assert not one.admits(4.2)
    assert one.admits(4.3)


def test_a_call_that_tells_nothing_counts_neither_way() -> None:
    one = breaker()
    for moment in range(20):
        assert one.admits(moment)
        one.ended(moment, good=None)
    assert one.state(20.0) == "closed"
