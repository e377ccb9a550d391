"""The experiments file: what it may say, and how clearly it is refused."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from configs.errors import ConfigError
from serving.experiments import read_experiment
from serving.experiments.file import experiment_of
from tests.serving.experiments.support import arm, experiment, written

CHANCE: dict[str, Any] = {"epsilon": 0.2, "slots": 2, "pool": 10, "max_share_of_requests": 0.1}


def test_a_file_that_fits_is_read(tmp_path: Path) -> None:
    arms = [arm("a", 0.5), arm("b", 0.5, ranking="value", exploration=CHANCE), arm("c", None, ranking="neural")]
    found = read_experiment(written(tmp_path, experiment(*arms)))
    assert [(one.name, one.share, one.ranking, one.shadow) for one in found.arms] == [
        ("a", 0.5, "model", False),
        ("b", 0.5, "value", False),
        ("c", 0.0, "neural", True),
    ]
    assert found.arms[1].exploration is not None
    assert found.start.timestamp() == 978_307_200


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], ["holds no keys", "name, start, salt and arms"]),
        (experiment(colour="red"), ["colour", "Extra inputs"]),
        (experiment(start="2001-01-01T00:00:00"), ["start", "timezone", "2001-01-01T"]),
        (experiment(start=date(2001, 1, 1)), ["start", "timezone", "2001-01-01"]),
        (experiment(arm(share=0.5)), ["add up to 0.5", "expected 1"]),
        (experiment(arm(share=0.5), arm(share=0.5)), ["two arms", "'today'"]),
        (experiment(arm(ranking="magic")), ["arms.0.ranking", "'magic'", "frequently_bought_together"]),
        (experiment(arm(share=2)), ["arms.0.share", "found '2'", "less than or equal to 1"]),
        (experiment(arm(), arm("b", 0)), ["arms.1", "share is missing"]),
        (experiment(arm(), arm("b", None, exploration=CHANCE)), ["arms.1", "shown to nobody"]),
        (experiment(arm(exploration=CHANCE)), ["share × epsilon is 0.2", "at most max_share_of_requests (0.1)"]),
        (experiment(arm(exploration=CHANCE | {"pool": 2, "slots": 3})), ["pool is 2", "slots (3)"]),
        (experiment(arm(exploration=CHANCE | {"epsilon": 0})), ["epsilon", "found '0'"]),
        (experiment(arm(alias="challenger")), ["arms.0.alias", "'challenger'", "champion"]),
        (experiment(arm(), arm("b", None, rules="rules.yaml")), ["arms.1", "shown to nobody", "rules"]),
        (experiment(arm(weights={"view": 2})), ["arms.0", "weights are those of ranking: signals", "'model'"]),
        (experiment(arm(ranking="signals", weights={"colour": 2})), ["arms.0.weights: colour", "Extra inputs"]),
        (
            experiment(arm(ranking="signals", weights={"half_life_minutes": 0})),
            ["arms.0.weights: half_life_minutes", "greater than 0", "found '0"],
        ),
        (experiment(arm(ranking="signals", weights={"most_actions": 2.5})), ["arms.0.weights: most_actions", "2.5"]),
        (
            experiment(arm(ranking="signals", weights={"cart": 0, "popularity": 0, "price": 0})),
            ["arms.0.weights: together: cart, popularity and price are all 0"],
        ),
    ],
)
def test_what_does_not_fit_is_named_with_file_key_and_expectation(
    tmp_path: Path, content: object, words: list[str]
) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ConfigError) as refused:
        read_experiment(path)
    for word in [str(path), *words]:
        assert word in str(refused.value)


def test_the_readme_s_example_is_a_file_that_fits(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[3] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(name: .*?)```", readme, re.DOTALL)
    path = tmp_path / "experiments.yaml"
    path.write_text(example, encoding="utf-8")
    assert len(read_experiment(path).arms) == 4


def test_what_a_service_holds_may_be_named(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "rules.yaml"
    arms = [arm("a", 0.5, alias="challenger", rules="rules.yaml"), arm("b", 0.5, rules=str(elsewhere))]
    found = read_experiment(written(tmp_path, experiment(*arms)), aliases={"champion", "challenger"}).arms
    assert [(one.alias, one.rules) for one in found] == [
        ("challenger", tmp_path / "rules.yaml"),
        ("champion", elsewhere),
    ]


def test_weights_keep_the_kind_of_number_that_they_are(tmp_path: Path) -> None:
    told = {"most_actions": 20, "view": 2}
    (found,) = read_experiment(written(tmp_path, experiment(arm(ranking="signals", weights=told)))).arms
    assert found.weights == told
    assert isinstance(found.weights["most_actions"], int)


def test_arms_of_a_release_have_no_rules_of_their_own() -> None:
    with pytest.raises(ConfigError, match=r"arms\.0\.rules is 'rules\.yaml', but only arms of serving\.experiments"):
        experiment_of(experiment(arm(rules="rules.yaml")), "The release")


@pytest.mark.parametrize(("text", "word"), [(None, "cannot be read"), (b"a: [", "not valid YAML"), (b"\xff", "YAML")])
def test_no_file_and_no_yaml_are_told(tmp_path: Path, text: bytes | None, word: str) -> None:
    path = tmp_path / "experiments.yaml"
    if text is not None:
        path.write_bytes(text)
    with pytest.raises(ConfigError, match=word):
        read_experiment(path)
