"""`train` with feedback makes another package, which says what it learned from; without any, the very same one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from configs import Settings, SilentProgress
from tests.events.record.support import Record
from tests.support.shop import shop_settings
from tests.training.feedback.rehearsal import Rehearsal, taken
from training.package import ModelPackage, save_package
from training.train import train

ANSWERS = 60


@pytest.fixture
def rehearsed(built_shop: Settings, tmp_path: Path) -> Iterator[Rehearsal]:
    """The corner shop with features, ready to be trained on, and answers that something came of."""
    settings = shop_settings(tmp_path, feedback={"rehearsals": True, "least_draws": 1, "most_outside": 0.99})
    for folder in ("data", "features"):
        shutil.copytree(built_shop.work.root / folder, settings.work.root / folder)
    record = Record(tmp_path)
    shop = Rehearsal(settings, record)
    for number in range(ANSWERS):
        record.store(shop.answer(f"r{number}", "a", "b", "c"), taken("add", "b", f"r{number}", f"m{number}"))
    yield shop
    record.engine.dispose()


def test_training_learns_of_answers_and_the_package_and_the_report_say_so(
    rehearsed: Rehearsal, package: ModelPackage
) -> None:
    report = train(rehearsed.settings, SilentProgress())
    made = ModelPackage.load(rehearsed.settings.work.model)
    assert made.feedback == report.metrics["feedback"]["fingerprint"]
    assert made.feedback is not None
    assert report.read["answers shown"] == ANSWERS
    assert report.metrics["feedback"]["came"] == {"add": ANSWERS}
    assert made.version != package.version
    assert made.gbm != package.gbm
    assert not np.array_equal(made.neural.weights[0], package.neural.weights[0])
    assert (made.data, made.as_of) == (package.data, package.as_of)


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
