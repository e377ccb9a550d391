"""Off-policy estimates on choices whose truth is known, and the places of chance of an arm."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import load_settings
from monitoring.experiments.exploration import ALWAYS, NEVER, SHADOW, learn, mixture_of
from monitoring.experiments.observed import observe
from monitoring.experiments.off_policy import ESTIMATORS, Logged, OffPolicy, cross_fitted, effective_size, estimate
from monitoring.experiments.reading import Rows

WORTH = np.array([[0.1, 0.5, 0.2], [0.6, 0.1, 0.3]])
"""Chance of a reward by kind of person and choice."""
LOGS = np.array([[0.6, 0.1, 0.3], [0.2, 0.5, 0.3]])
WOULD = np.array([[0.1, 0.8, 0.1], [0.7, 0.1, 0.2]])
TRUTH = float((WOULD * WORTH).sum(axis=1).mean())


def choices(seed: int, people: int, *, model: float = 1.0) -> Logged:
    """Return logged choices of people who come several times; `model` scales the predictions: 1 is right."""
    generator = np.random.default_rng(seed)
    unit = np.repeat(np.arange(people, dtype=np.int32), generator.integers(1, 5, people))
    kind = generator.integers(0, 2, people)[unit]
    chosen = (generator.random(unit.size)[:, None] > LOGS[kind].cumsum(axis=1)).sum(axis=1)
    reward = (generator.random(unit.size) < WORTH[kind, chosen]).astype(np.float64)
    predicted, expected = model * WORTH[kind, chosen], model * (WOULD[kind] * WORTH[kind]).sum(axis=1)
    return Logged(reward, LOGS[kind, chosen], WOULD[kind, chosen], unit, predicted, expected)


def estimated(logged: Logged, clip: float = 10.0, samples: int = 100) -> OffPolicy:
    return estimate(logged, clip=clip, samples=samples, seed=1)


@pytest.mark.parametrize("model", [0.0, 1.0, 3.0])
def test_the_estimates_are_right_on_average_however_wrong_the_reward_model(model: float) -> None:
    found = np.array(
        [
            [estimated(choices(seed, 300, model=model)).value[name].value for name in ESTIMATORS[:3]]
            for seed in range(150)
        ]
    )
    deviation = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - TRUTH) < 3.5 * deviation).all()
    raw = np.mean([choices(seed, 300).reward.mean() for seed in range(150)])
    assert abs(raw - TRUTH) > 20 * deviation.max()  # what was logged is something else


def test_a_good_reward_model_takes_noise_away() -> None:
    found = [estimated(choices(seed, 300)).value for seed in range(60)]
    spread = {name: np.std([one[name].value for one in found]) for name in ESTIMATORS}
    assert spread["dr"] < spread["snips"] < spread["ips"]


def test_the_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    covered = np.zeros(3)
    for seed in range(150):
        found = estimated(choices(seed, 250), samples=200)
        covered += [found.value[name].low <= TRUTH <= found.value[name].high for name in ESTIMATORS[:3]]
    assert ((covered / 150 >= 0.87) & (covered / 150 <= 1.0)).all()


def test_the_formulas_are_those_of_their_authors() -> None:
    reward, propensity, target = [1.0, 0.0, 1.0], [0.5, 0.2, 0.1], [0.25, 0.4, 0.9]
    predicted, expected = [0.5, 0.25, 0.75], [0.1, 0.2, 0.3]
    unit = np.arange(3, dtype=np.int32)
    found = estimated(
        Logged(*map(np.array, (reward, propensity, target)), unit, np.array(predicted), np.array(expected)), clip=4.0
    )
    # weights 0.5, 2, 9; clipped 0.5, 2, 4
    value = {name: found.value[name].value for name in ESTIMATORS}
    assert value["ips"] == pytest.approx(9.5 / 3)
    assert value["snips"] == pytest.approx(9.5 / 11.5)
    assert value["dr"] == pytest.approx((0.1 + 0.25 + 0.2 - 0.5 + 0.3 + 2.25) / 3)
    assert value["clipped_ips"] == pytest.approx(4.5 / 3)
    assert value["clipped_snips"] == pytest.approx(4.5 / 6.5)
    assert value["clipped_dr"] == pytest.approx((0.1 + 0.25 + 0.2 - 0.5 + 0.3 + 1.0) / 3)
    assert (found.choices, found.clipped, found.mean_weight) == (3, 1 / 3, pytest.approx(11.5 / 3))
    assert found.effective == pytest.approx(11.5**2 / (0.25 + 4 + 81))


def test_the_policy_that_logged_earns_what_was_logged() -> None:
    logged = choices(3, 100)
    same = Logged(logged.reward, logged.propensity, logged.propensity, logged.unit, logged.predicted, logged.predicted)
    found = estimated(same)
    assert [mean.value for mean in found.value.values()] == pytest.approx([logged.reward.mean()] * len(ESTIMATORS))
    assert (found.effective, found.mean_weight) == (logged.reward.size, 1.0)


@given(st.integers(0, 50), st.randoms())
def test_the_order_of_choices_changes_nothing(seed: int, chance: np.random.Generator) -> None:
    logged = choices(seed, 12)
    order = list(range(logged.reward.size))
    chance.shuffle(order)
    shuffled = estimated(Logged(*(getattr(logged, name)[order] for name in Logged.__dataclass_fields__)))
    first = estimated(logged)
    for name in ESTIMATORS:
        assert vars(shuffled.value[name]) == pytest.approx(vars(first.value[name]), nan_ok=True)


def test_no_weight_is_worth_nothing_and_an_impossible_propensity_is_refused() -> None:
    assert effective_size(np.zeros(4)) == 0.0
    logged = choices(1, 5)
    with pytest.raises(ValueError, match="propensity"):
        estimated(
            Logged(
                logged.reward,
                0 * logged.propensity,
                *(getattr(logged, name) for name in ("target", "unit", "predicted", "expected")),
            )
        )


def test_a_persons_reward_is_predicted_without_it() -> None:
    generator = np.random.default_rng(4)
    design, unit = generator.normal(size=(60, 3)), np.repeat(np.arange(20, dtype=np.int32), 3)
    reward = design @ [0.5, -1.0, 0.0] + 2.0
    (right,) = cross_fitted(design, reward, unit, [design], 1e-9)
    assert right == pytest.approx(reward)
    mine = unit == 7
    (other,) = cross_fitted(design, np.where(mine, 100.0, reward), unit, [design], 1e-9)
    assert other[mine] == pytest.approx(reward[mine])
    (alone,) = cross_fitted(design, reward, np.zeros(60, dtype=np.int32), [design], 1e9)
    assert alone == pytest.approx(reward.mean(), abs=1e-4)


RANKED, REST, EPSILON = 0.4, 0.1, 0.2


def explored_rows(seed: int, answers: int, epsilon: float = EPSILON, pools: tuple[int, ...] = (8, 8, 8, 5)) -> Rows:
    """Return answers of one arm whose last place is left to chance; a product is added more often if ranked there."""
    generator = np.random.default_rng(seed)
    exposures, touched, places = [], [], []
    for number in range(answers):
        name, size = f"r{number:05d}", pools[int(generator.integers(len(pools)))]
        explored = bool(generator.random() < epsilon)
        drawn = int(generator.integers(size)) if explored else 0
        product = f"p{drawn}"
        shadow = json.dumps({"second": ["first", "p1"], "stranger": ["first", "elsewhere"]})
        exposures.append((name, float(number), f"u{number // 3}", "control", None, 2, 3.0, explored, shadow))
        places.append((name, 1, product, (1 - epsilon) * (drawn == 0) + epsilon / size))
        if generator.random() < (RANKED if drawn == 0 else REST):
            touched.append((name, product, 0, 1))
    return Rows(exposures, touched, [], [], places)


def test_what_never_and_always_exploring_would_earn_is_told_from_what_was_explored() -> None:
    rows, watched = explored_rows(5, 6_000), load_settings(monitoring={"bootstrap_samples": 200}).monitoring
    found = learn(rows, observe(rows), watched)["control"]
    assert found.epsilon == pytest.approx(EPSILON)
    assert found.places == 6_000
    by_chance = REST + (RANKED - REST) * np.mean([1 / 8, 1 / 8, 1 / 8, 1 / 5])
    for policy, truth in ((NEVER, RANKED), (ALWAYS, by_chance), (SHADOW + "second", REST)):
        told = found.policies[policy]
        for name in ESTIMATORS[:3]:
            assert told.value[name].low <= truth <= told.value[name].high, (policy, name)
        assert told.mean_weight == pytest.approx(1.0, abs=0.15)
    shown = (1 - EPSILON) * RANKED + EPSILON * by_chance
    assert found.as_shown.low <= shown <= found.as_shown.high
    assert (
        found.policies[NEVER].effective > found.policies[ALWAYS].effective > found.policies[SHADOW + "second"].effective
    )


def test_what_chance_never_tries_is_not_covered() -> None:
    rows, watched = explored_rows(6, 600), load_settings(monitoring={"bootstrap_samples": 100}).monitoring
    found = learn(rows, observe(rows), watched)["control"].policies[SHADOW + "stranger"]
    assert (found.mean_weight, found.effective, found.value["ips"].value) == (0.0, 0.0, 0.0)


@given(st.sampled_from([0.01, 0.05, 0.1, 0.3, 0.5]), st.lists(st.integers(2, 60), min_size=1, max_size=3))
def test_epsilon_and_pools_are_read_back_from_the_propensities(epsilon: float, pools: list[int]) -> None:
    ranked = np.tile([True, False], len(pools))
    size = np.repeat(pools, 2)
    found = mixture_of((1 - epsilon) * ranked + epsilon / size, ~ranked)
    assert found is not None
    assert found.epsilon == pytest.approx(epsilon)
    assert found.pool.tolist() == size.tolist()
    assert found.ranked.tolist() == ranked.tolist()


@pytest.mark.parametrize(
    ("propensity", "explored"),
    [
        ([0.9], [False]),  # chance has not ruled yet
        ([0.1 + 0.9 / 4, 0.9 / 4], [False, True]),  # more than half
        ([0.9 + 0.1 / 7, 0.1 / 7, 0.7 + 0.3 / 11, 0.3 / 11], [False, True, False, True]),  # two epsilons
    ],
)
def test_propensities_of_no_single_small_epsilon_are_not_guessed_at(
    propensity: list[float], explored: list[bool]
) -> None:
    assert mixture_of(np.array(propensity), np.array(explored)) is None


def test_an_arm_without_places_of_chance_tells_nothing() -> None:
    rows = explored_rows(1, 5)
    assert learn(Rows(rows.exposures, [], [], [], []), observe(rows), load_settings().monitoring) == {}
