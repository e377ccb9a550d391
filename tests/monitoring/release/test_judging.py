"""What a look concludes, on simulated people whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import beta

from configs import load_settings
from monitoring.release.checks import Judged
from monitoring.release.live import judge_live
from monitoring.release.shadow import Lists, judge_shadow
from tests.monitoring.release.streams import PACKAGE, Model, People, step
from training.releasing import CANDIDATE

SETTINGS = load_settings()
RELEASE, BASIS = SETTINGS.release, SETTINGS.monitoring
LOOKS = np.linspace(0.15, 1.0, 6)
GOOD = Model()


def judged(people: People, share: float, until: float = 1.0, **changes: object) -> Judged:
    return judge_live(people.seen(until), step(share, **changes), PACKAGE, RELEASE, BASIS)


def verdicts(found: Judged) -> dict[str, str]:
    return {check.name: check.verdict for check in found.checks}


def test_a_healthy_version_is_stopped_in_fewer_releases_than_alpha_however_often_one_looks() -> None:
    releases, stopped, went_on = 120, 0, 0
    for seed in range(releases):
        share = (0.15, 0.5)[seed % 2]
        people = People(seed, 1_200, share, GOOD, GOOD)
        actions = [judged(people, share, until).action for until in LOOKS]
        stopped += "stop" in actions
        went_on += "advance" in actions
    assert beta.ppf(0.99, stopped + 1, releases - stopped) <= RELEASE.alpha  # Clopper and Pearson
    assert went_on > 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (replace(GOOD, attached=0.02), "attach rate"),
        (replace(GOOD, slow=0.2), "slow share"),
        (replace(GOOD, slow=1.0), "slow share"),
        (replace(GOOD, fallback=1.0), "fallback share"),
        (replace(GOOD, varied=6), "distinct products"),
    ],
)
def test_a_bad_version_is_stopped_with_the_figure_that_says_so(bad: Model, reason: str) -> None:
    found = [judged(People(seed, 3_000, 0.5, GOOD, bad), 0.5) for seed in range(5)]
    assert {one.action for one in found} == {"stop"}
    assert all(reason in one.why for one in found)


def test_a_version_that_is_as_good_goes_on_once_enough_is_known() -> None:
    people = People(3, 12_000, 0.5, GOOD, GOOD)
    early, late = judged(people, 0.5, 0.05), judged(people, 0.5)
    assert (early.action, late.action) == ("wait", "advance")
    assert verdicts(late)["attach_rate"] == "fine"


def test_a_step_lasts_as_long_as_it_should_and_until_people_enough_were_seen() -> None:
    people = People(3, 12_000, 0.5, GOOD, GOOD)
    assert "7,000 people in each arm are needed" in judged(people, 0.5, least_people=7_000).why
    waits = judged(people, 0.5, least_hours=200.0)
    assert (waits.action, waits.why) == ("wait", "the step lasts at least 200 hours, so far 100.0")


def test_a_small_arm_in_which_nothing_rare_happened_yet_is_no_evidence() -> None:
    rare, unlucky = replace(GOOD, attached=0.01), replace(GOOD, attached=0.0)
    for seed in range(10):
        found = judged(People(seed, 2_400, 0.05, rare, unlucky), 0.05)
        assert found.people[CANDIDATE] >= BASIS.least_people or set(verdicts(found).values()) == {"too few"}
        assert verdicts(found)["attach_rate"] != "worse"


def test_slow_answers_of_both_arms_are_no_fault_of_the_candidate() -> None:
    slow = replace(GOOD, slow=0.3)
    assert verdicts(judged(People(1, 3_000, 0.5, slow, slow), 0.5))["slow_share"] != "worse"


def test_a_candidate_that_workers_cannot_load_is_stopped_but_not_in_the_first_minute() -> None:
    seen = People(1, 2_000, 0.5, GOOD, GOOD).seen()
    elsewhere = replace(seen, answered={CANDIDATE: {PACKAGE: 50, "other": 150}})
    found = judge_live(elsewhere, step(0.5), PACKAGE, RELEASE, BASIS)
    assert (found.action, "workers do not hold the candidate" in found.why) == ("stop", True)
    assert judge_live(replace(elsewhere, seconds=5.0), step(0.5), PACKAGE, RELEASE, BASIS).action != "stop"


def test_people_who_split_otherwise_than_planned_hold_a_step_up() -> None:
    found = judged(People(3, 12_000, 0.4, GOOD, GOOD), 0.5)
    assert (found.action, "did not split as planned" in found.why) == ("wait", True)


def test_where_nothing_is_ever_attached_nothing_is_concluded() -> None:
    nobody = replace(GOOD, attached=0.0)
    people = People(1, 3_000, 0.5, nobody, nobody)
    people.observed.clicked[:] = False
    found = judged(people, 0.5)
    assert (found.action, found.why) == ("wait", "nothing was clicked, added or ordered in either arm")


def lists(*, agreement: float = 0.6, failed: float = 0.0, slow: float = 0.0, scored: float = 1.0) -> Lists:
    """Return two answers each of 500 people with a shadow's lists beside them."""
    generator, count = np.random.default_rng(5), 1_000
    tried = generator.random(count) < scored
    none = tried & (generator.random(count) < failed)
    return Lists(
        unit=(np.arange(count) // 2).astype(np.int32),
        latency_ms=np.full(count, 3.0),
        tried=tried,
        failed=none,
        shadow_ms=np.where(generator.random(count) < slow, 40.0, 2.0),
        agreement=np.where(tried & ~none, np.clip(generator.normal(agreement, 0.1, count), 0, 1), np.nan),
        shown=np.full(50, 200, np.int64),
        listed=np.full(50, 200, np.int64),
        category=None,
        seconds=7200.0,
    )


@pytest.mark.parametrize(
    ("seen", "action", "why"),
    [
        (lists(), "advance", "agreement"),
        (lists(agreement=0.01), "stop", "agreement"),
        (lists(failed=1.0), "stop", "failed share"),
        (lists(failed=0.2), "stop", "failed share"),
        (lists(slow=1.0), "stop", "slow share"),
        (replace(lists(), listed=np.eye(1, 50, dtype=np.int64)[0] * 10_000), "stop", "distinct products"),
        (lists(scored=0.0), "wait", "lists for 200 people are needed: 0 so far"),
        (lists(scored=0.4), "wait", "workers are too busy"),
        (replace(lists(), seconds=60.0), "wait", "lasts at least 1 hours"),
    ],
)
def test_a_shadow_is_judged_by_its_lists(seen: Lists, action: str, why: str) -> None:
    found = judge_shadow(seen, RELEASE.steps[0], RELEASE, BASIS)
    assert (found.action, why in found.why) == (action, True), found.why
