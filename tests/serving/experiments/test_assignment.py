"""Who is assigned to what: as the shares say, the same on every replica, and as long as the person is the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, chisquare

from configs import load_settings
from configs.errors import ConfigError
from events.shopper import Person
from serving.experiments import Experiment, Experiments, running_experiments, unit_of
from tests.serving.experiments.support import arm, experiment, written

UNITS = [f"shopper-{number}" for number in range(20_000)]
THREE = [arm("a", 0.5), arm("b", 0.3), arm("s", None), arm("c", 0.2)]
LATER = 2e9


def running(*arms: dict[str, Any], **changes: Any) -> Experiments:
    return Experiments(Experiment.model_validate(experiment(*arms, **changes)))


def arm_of(experiments: Experiments, unit: str | None, ranking: str | None = None, now: float = LATER) -> str | None:
    found = experiments.assign(unit, ranking, now).arm
    return None if found is None else found.name


def counts(names: list[str | None]) -> list[int]:
    return [names.count(name) for name in "abc"]


def test_people_are_dealt_to_the_arms_as_the_shares_say() -> None:
    found = [arm_of(running(*THREE), unit) for unit in UNITS]
    assert sum(counts(found)) == len(UNITS)  # nobody to the shadow
    assert chisquare(counts(found), [share * len(UNITS) for share in (0.5, 0.3, 0.2)]).pvalue > 0.001


def test_another_salt_deals_anew_and_independently() -> None:
    one, other = (running(*THREE, salt=salt) for salt in ("w1", "w2"))
    pairs = [(arm_of(one, unit), arm_of(other, unit)) for unit in UNITS]
    table = [[pairs.count((mine, theirs)) for theirs in "abc"] for mine in "abc"]
    assert chi2_contingency(table).pvalue > 0.001


@given(st.text(max_size=40), st.text(min_size=1, max_size=10))
def test_the_arm_hangs_on_salt_and_unit_alone(unit: str, salt: str) -> None:
    one = running(*THREE, salt=salt)
    again = running(*THREE, salt=salt, name="another name", start="1999-01-01T00:00:00Z")
    assert arm_of(one, unit) == arm_of(again, unit, now=LATER + 1) is not None


def test_nobody_takes_part_who_asks_for_an_arm_is_not_named_or_comes_before_the_start() -> None:
    assert arm_of(running(), "u") == "today"
    assert arm_of(running(), "u", ranking="popularity") is None
    assert arm_of(running(), None) is None
    assert arm_of(running(start="2033-05-18T03:33:21Z"), "u") is None
    assert arm_of(running(start="2033-05-18T03:33:20Z"), "u") == "today"
    assert arm_of(Experiments(), "u") is None
    assert running().assign("u", "popularity", LATER).ranking == "popularity"
    assert Experiments().assign("u", None, LATER).ranking == "model"
    assert running(arm(ranking="value")).assign("u", None, LATER).ranking == "value"


ROOTED, KEPT, BEFORE = (Person("root", ("a", "root", "u"), (), unit) for unit in (None, "a", "before"))


@pytest.mark.parametrize(
    ("told", "unit"),
    [
        (("s", None, None, None, None), "s"),
        (("s", "a", None, None, None), "a"),
        (("s", "a", None, None, "first"), "first"),
        ((None, None, "u", None, None), "u"),  # Redis was away
        (("s", "a", "u", ROOTED, None), "root"),
        (("s", "a", "u", ROOTED, "a"), "a"),  # the visit in which they identified themselves
        (("s2", None, "u", KEPT, None), "a"),  # the next device
        (("s", "a", "u", BEFORE, "a"), "before"),  # took part before, on another device
        ((None, None, None, None, None), None),
    ],
    ids=str,
)
def test_the_unit_is_the_person_as_far_as_known(told: Any, unit: str | None) -> None:
    session, anonymous, shopper, person, visit = told
    assert unit_of(session, anonymous, shopper, person, visit) == unit


def test_an_experiment_that_nothing_would_tell_of_is_refused(tmp_path: Path) -> None:
    settings = load_settings(serving={"experiments": written(tmp_path, experiment()), "exposures": {"enabled": False}})
    with pytest.raises(ConfigError, match=r"exposures\.enabled"):
        running_experiments(settings)
