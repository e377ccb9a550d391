"""The steps of training leave each other what they need, and the order in which the rankers are trained is no input."""

from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from configs import Settings, SilentProgress, StageReport
from configs.errors import NotBuiltError, StageError
from pipelines.stage_runner import run_stage
from pipelines.stages import STAGES
from tests.support.shop import shop_settings
from training.package import ModelPackage
from training.stages.files import digest_of, newest_examples
from training.stages.package import package as make_package
from training.stages.train_gbm import train_gbm
from training.stages.train_neural import train_neural

QUIET = SilentProgress()


@pytest.fixture
def again(built_shop: Settings, tmp_path: Path) -> Settings:
    """The corner shop with its examples, on which no ranker has been trained yet."""
    for part in ("data", "features"):
        (tmp_path / part).symlink_to(built_shop.work.root / part)
    (tmp_path / "training").mkdir()
    (tmp_path / "training" / "examples").symlink_to(built_shop.work.training / "examples")
    return shop_settings(tmp_path)


@pytest.fixture
def trained(built_shop: Settings, again: Settings) -> Settings:
    """The same with its rankers."""
    for part in ("gbm", "neural"):
        shutil.copytree(built_shop.work.training / part, again.work.training / part)
    return again


def run_apart(name: str, settings: Settings) -> StageReport:
    """Run a stage in a process of its own, as every build does."""
    (stage,) = (stage for stage in STAGES if stage.name == name)
    return run_stage(stage, settings, lambda _message, _done: None).report


def test_rankers_trained_at_once_make_the_package_of_rankers_trained_in_turn(
    again: Settings, package: ModelPackage
) -> None:
    with ThreadPoolExecutor() as both:
        list(both.map(lambda name: run_apart(name, again), ("train_neural", "train_gbm")))
    assert make_package(again, QUIET).metrics["version"] == package.version


def test_the_record_of_the_examples_holds_their_digest(trained: Settings, tmp_path: Path) -> None:
    record, split = newest_examples(trained.work)
    copy = Path(shutil.copytree(trained.work.training / "examples", tmp_path / "copy"))
    (copy / "examples.json").unlink()
    assert digest_of(copy) == record.content
    np.save(copy / "learn_label.npy", 1 - split.learn.label)
    assert digest_of(copy) != record.content


@pytest.mark.parametrize("ranker", ["gbm", "neural"])
def test_a_ranker_of_other_examples_is_not_packaged(trained: Settings, ranker: str) -> None:
    path = trained.work.training / ranker / f"{ranker}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"examples": "of another day"}))
    with pytest.raises(StageError, match=rf"training/{ranker} was trained on other examples.*`tillwise train --force`"):
        make_package(trained, QUIET)
    assert not trained.work.model.exists()


@pytest.mark.parametrize("step", [train_gbm, train_neural, make_package])
def test_a_step_without_its_input_says_what_to_run(tmp_path: Path, step: object) -> None:
    assert callable(step)
    with pytest.raises(NotBuiltError, match=r"nothing lies in .*/training/examples: run `tillwise train`"):
        step(shop_settings(tmp_path), QUIET)


def test_a_package_needs_both_rankers(trained: Settings) -> None:
    shutil.rmtree(trained.work.training / "neural")
    with pytest.raises(NotBuiltError, match=r"nothing lies in .*/training/neural"):
        make_package(trained, QUIET)
