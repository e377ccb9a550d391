"""The synthetic corner shop, built once a test run through the real stages: data, features, model, evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from configs import Settings, SilentProgress, StageReport, load_settings
from features.data.ingest import ingest
from features.history import load_history
from features.offline import build_features
from features.shopper import ShopperState, fold
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
    "evaluation": {"bootstrap_samples": 200, "workers": 1},
}
"""Settings that fit the corner shop's 120 days and a test's patience."""


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


def train_all(settings: Settings) -> str:
    """Run every step of training, on features that are there; return the version of the package."""
    for step in (examples, train_gbm, train_neural):
        step(settings, SilentProgress())
    return str(package_model(settings, SilentProgress()).metrics["version"])


@pytest.fixture(scope="session")
def built_shop(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a work folder in which everything up to evaluate has run; not to be changed."""
    settings = shop_settings(tmp_path_factory.mktemp("corner-shop"))
    ingest(settings, SilentProgress())
    build_features(settings, SilentProgress())
    train_all(settings)
    evaluate(settings, SilentProgress())
    return settings


@pytest.fixture(scope="session")
def complete_journey(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, StageReport]:
    """The real data, ingested once a test run: settings of their work folder, and what ingest reported."""
    settings = load_settings(dataset="complete_journey", home=tmp_path_factory.mktemp("complete-journey"))
    return settings, ingest(settings, SilentProgress())


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
