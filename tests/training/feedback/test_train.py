"""`train` with feedback makes a package that says what it learned from; without any, the very same one as ever."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from configs import Settings, SilentProgress
from features.context import Context
from features.definitions import assemble
from features.exposed import pack
from features.shopper import ShopperState
from tests.events.record.support import Record
from tests.support.shop import QUICK, shop_settings
from tests.training.feedback.rehearsal import Rehearsal, taken
from training.package import ModelPackage, save_package
from training.stages.examples import examples
from training.stages.files import newest_examples
from training.stages.package import package as make_package
from training.stages.train_gbm import train_gbm
from training.stages.train_neural import train_neural

ANSWERS = 60


@pytest.fixture
def rehearsed(built_shop: Settings, package: ModelPackage, tmp_path: Path) -> Iterator[Rehearsal]:
    """The corner shop with features, ready to be trained on, and answers that something came of."""
    settings = shop_settings(tmp_path, feedback={"rehearsals": True, "least_draws": 1, "weight": 2.0}, **QUICK)
    for folder in ("data", "features"):
        shutil.copytree(built_shop.work.root / folder, settings.work.root / folder)
    record = Record(tmp_path)
    shop = Rehearsal(settings, record)
    rows = package.matrix.by_popularity[:3]
    features = assemble(
        Context(package.matrix, ShopperState.empty(), package.matrix.by_popularity[3:5], shop.as_of), rows
    )
    a, b, c = (package.products.ids[row] for row in rows)
    for number in range(ANSWERS):
        told = shop.answer(f"r{number}", a, b, c, told={"features": pack(features)})
        record.store(told, taken("add", b, f"r{number}", f"m{number}"))
    yield shop
    record.engine.dispose()


def test_training_learns_of_answers_and_the_package_and_the_report_say_so(rehearsed: Rehearsal) -> None:
    report = examples(rehearsed.settings, SilentProgress())
    for step in (train_gbm, train_neural, make_package):
        step(rehearsed.settings, SilentProgress())
    made = ModelPackage.load(rehearsed.settings.work.model)
    _, split = newest_examples(rehearsed.settings.work)
    assert split.learn.weight is not None
    assert split.learn.weight.tolist() == [1.0] * (split.learn.label.size - 3 * ANSWERS) + [2.0] * 3 * ANSWERS
    assert split.held_back.weight is None
    assert made.feedback == report.metrics["feedback"]["fingerprint"]
    assert made.feedback is not None
    assert report.read["answers shown"] == ANSWERS
    assert report.metrics["feedback"]["came"] == {"add": ANSWERS}
    learned = split.learn.group[-ANSWERS:].tolist()
    assert (report.metrics["feedback"]["draws"], learned) == (ANSWERS, [3] * ANSWERS)


def test_a_package_that_learned_of_no_answers_is_what_it_would_be_without_feedback(
    package: ModelPackage, built_shop: Settings, tmp_path: Path
) -> None:
    assert built_shop.feedback.enabled
    assert package.feedback is None
    for name, feedback in (("without", None), ("with", "0" * 64)):
        (tmp_path / name).mkdir()
        version = save_package(tmp_path / name, replace(package, version="", feedback=feedback))
        assert (version == package.version) is (feedback is None)
        assert ModelPackage.load(tmp_path / name).feedback == feedback
