"""The stage table: what a changed setting or source file makes stale, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipelines.fingerprint import fingerprints
from pipelines.sources import source_files
from pipelines.stages import STAGES, stages_up_to
from tests.support.shop import SMALL, shop_settings

TRAINING = ("examples", "train_gbm", "train_neural", "package")


def stale(folder: Path, **changed: dict[str, Any]) -> set[str]:
    """Return the steps of training that other settings than the corner shop's make stale."""
    merged = {name: SMALL.get(name, {}) | values for name, values in changed.items()}
    before, after = (fingerprints(STAGES, shop_settings(folder, **given)) for given in ({}, merged))
    return {name for name in TRAINING if before[name] != after[name]}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"candidates": {"popular": 7}}, set(TRAINING)),
        ({"encoder": {"epochs": 9}}, set(TRAINING)),
        ({"training": {"seed": 8}}, set(TRAINING)),
        ({"training": {"single_draws": 2}}, set(TRAINING)),
        ({"training": {"trees": 61}}, {"train_gbm", "package"}),
        ({"neural": {"epochs": 9}}, {"train_neural", "package"}),
        ({"student": {"epochs": 9}}, {"package"}),
        ({"ranking": {"discovery": 0.2}}, {"package"}),
        ({"training": {"workers": 2}}, set()),
        ({"evaluation": {"k": 5}}, set()),
    ],
)
def test_a_changed_setting_makes_only_those_steps_of_training_stale_that_read_it(
    tmp_path: Path, changed: dict[str, Any], expected: set[str]
) -> None:
    assert stale(tmp_path, **changed) == expected


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("training.dataset", {"examples"}),
        ("training.gbm", {"train_gbm"}),
        ("training.neural.fit", {"train_neural", "package"}),
        ("training.student.distil", {"package"}),
        ("training.examples", set(TRAINING)),
    ],
)
def test_a_changed_source_makes_only_those_steps_of_training_stale_that_rest_on_it(
    module: str, expected: set[str]
) -> None:
    functions = {stage.name: stage.function.partition(":")[0] for stage in STAGES}
    assert {name for name in TRAINING if module in source_files(functions[name])} == expected


def test_each_stage_stands_behind_those_whose_results_it_reads() -> None:
    place = {stage.name: number for number, stage in enumerate(STAGES)}
    for stage in STAGES:
        assert all(place[name] < place[stage.name] for name in (*stage.upstream, *stage.steps))
        assert set(stage.steps) <= {other.name for other in stages_up_to(stage.name)}


def test_neither_ranker_waits_for_the_other() -> None:
    for ranker, other in (("train_gbm", "train_neural"), ("train_neural", "train_gbm")):
        assert other not in {stage.name for stage in stages_up_to(ranker)}
