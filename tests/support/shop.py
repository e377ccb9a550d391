"""The synthetic corner shop, built once a test run through the real stages: data, features, model, evaluation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs import Settings, SilentProgress, StageReport, load_settings
from configs.home import read_json, write_json
from features.data.ingest import ingest
from features.history import load_history
from features.offline import build_features
from features.shopper import ShopperState, fold
from tests.support.shared import made_once
from training.evaluation.stage import evaluate
from training.package import ModelPackage
from training.stages.examples import examples
from training.stages.package import package as package_model
from training.stages.train_gbm import train_gbm
from training.stages.train_neural import train_neural

CORNER_SHOP = Path(__file__).parents[1] / "datasets" / "corner_shop.yaml"

SMALL: dict[str, Any] = {
    "dataset": str(CORNER_SHOP),
    "min_free_gb": 0.0,
    "log": {"level": "warning"},
    "windows": {"test_days": 14, "target_days": 21},
    "training": {"trees": 60, "min_data_in_leaf": 20, "threads": 1, "workers": 1},
    "encoder": {"threads": 1},
    "neural": {"threads": 1},
    "evaluation": {"bootstrap_samples": 200, "workers": 1},
}
"""Settings that fit the corner shop's 120 days and a test's patience."""

QUICK: dict[str, Any] = {
    "windows": SMALL["windows"] | {"folds": 1},
    "training": SMALL["training"] | {"trees": 5, "max_baskets": 300},
    "encoder": SMALL["encoder"] | {"epochs": 1},
    "neural": SMALL["neural"] | {"epochs": 1},
    "student": {"epochs": 1},
}
"""Further ones, of a model that is trained in seconds and of which nobody asks how good it is."""


def as_variables(overrides: dict[str, Any] = SMALL, prefix: str = "TILLWISE_") -> dict[str, str]:
    """Return settings as the environment variables that a process of ours reads."""
    found: dict[str, str] = {}
    for name, value in overrides.items():
        if isinstance(value, dict):
            found |= as_variables(value, f"{prefix}{name.upper()}__")
        else:
            found[f"{prefix}{name.upper()}"] = str(value)
    return found


def shop_settings(home: Path, **overrides: Any) -> Settings:
    """Return the corner shop's settings with a work folder of their own."""
    return load_settings(home=home, **(SMALL | overrides))


def quickened(settings: Settings) -> Settings:
    """Return settings of the same work folder by which a model is trained in seconds."""
    changed = {name: getattr(settings, name).model_copy(update=values) for name, values in QUICK.items()}
    return settings.model_copy(update=changed)


def train_all(settings: Settings) -> str:
    """Run every step of training, on features that are there; return the version of the package."""
    for step in (examples, train_gbm, train_neural):
        step(settings, SilentProgress())
    return str(package_model(settings, SilentProgress()).metrics["version"])


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a work folder in which everything up to evaluate has run; not to be changed.

    The processes of a test run build it once, and have a copy each: the feature store's registry is written to.
    """
    home = tmp_path_factory.mktemp("corner-shop") / "home"
    shutil.copytree(made_once(tmp_path_factory, "corner-shop", _build), home)
    return shop_settings(home)


def _build(home: Path) -> None:
    settings = shop_settings(home)
    ingest(settings, SilentProgress())
    build_features(settings, SilentProgress())
    train_all(settings)
    evaluate(settings, SilentProgress())


@pytest.fixture(scope="session")
def complete_journey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, StageReport]:
    """The real data, ingested once a test run: settings of their work folder, and what ingest reported."""

    def read(home: Path) -> None:
        report = ingest(load_settings(dataset="complete_journey", home=home), SilentProgress())
        write_json(home / "report.json", report.as_dict())

    home = made_once(tmp_path_factory, "complete-journey", read)
    settings = load_settings(dataset="complete_journey", home=home)
    return settings, StageReport(**read_json(home / "report.json"))


@pytest.fixture(scope="session")
def package(built_shop: Settings) -> ModelPackage:
    """The corner shop's model package."""
    return ModelPackage.load(built_shop.work.model)


@pytest.fixture(scope="session")
def regular(built_shop: Settings, package: ModelPackage) -> ShopperState:
    """The shopper with the most orders before the package's cutoff."""
    known = load_history(built_shop.work.data).before(package.as_of)
    who = np.bincount(known.shopper).argmax()
    return fold((known.order(int(i)) for i in np.flatnonzero(known.shopper == who)), built_shop.features)
