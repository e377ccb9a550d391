"""Models that are wrong on purpose, each as a real mistake would make it: labels, prices, and a model that is slow.

`poison` takes the work folder of the settings, makes the bad package in a copy of it, and registers it in the registry
of the settings, with the evaluation and the trial of the good package, as if nobody had looked. Nothing of the work
folder changes; who forces the version to serve says so: `tillwise promote --force --why`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs import Settings, SilentProgress
from configs.home import read_json, replace_directory, write_json
from training.aliases import registry_uri
from training.example_files import PARTS
from training.examples import Examples
from training.neural.network import NeuralRanker
from training.package import ModelPackage, save_package
from training.registry import register
from training.selftest import recorded
from training.stages.files import EXAMPLES, newest_examples
from training.stages.package import package
from training.stages.train_gbm import train_gbm
from training.stages.train_neural import train_neural
from training.trials import remember_trial, trial_path, trial_version

PRICE_FACTOR = 100.0
"""Cents that were taken for dollars."""
WIDTH = 4_500
"""Units of the layers that are too many: twenty million multiplications for each candidate, some 50 ms a request."""
FEW_REQUESTS = 4
"""Recorded with the slow model, which would need seconds to test itself with all."""
SEED = 20261125
COPIED = ("data", "features", "training", "model", "reports")


def shuffled(examples: Examples, chance: np.random.Generator) -> NDArray[np.int8]:
    """Return labels, each draw's dealt anew among its candidates: as many, on the wrong rows."""
    return np.asarray(examples.label)[np.lexsort((chance.random(examples.label.size), examples.draw))]


def overpriced(package: ModelPackage, factor: float = PRICE_FACTOR) -> ModelPackage:
    """Return a package that takes every price, of the catalogue and of what was paid, for `factor` times as much."""
    matrix, times = package.matrix, np.float32(factor)
    catalogue = replace(matrix.catalogue, price=matrix.catalogue.price * times)
    stats = replace(matrix.stats, price=matrix.stats.price * times)
    return _made(package, matrix=replace(matrix, catalogue=catalogue, stats=stats))


def slowed(package: ModelPackage, width: int = WIDTH) -> ModelPackage:
    """Return a package that takes long: its network was made larger, and scores all candidates."""
    ranking = package.ranking.model_copy(update={"shortlist": 0, "head": "blend"})
    few = replace(package, golden=package.golden[:FEW_REQUESTS])
    return _made(few, neural=widened(package.neural, width), ranking=ranking)


def widened(network: NeuralRanker, width: int) -> NeuralRanker:
    """Return a network with two more layers of `width` units, which hand on what comes in: the scores are the same."""
    last = network.weights[-1]
    into, through = np.eye(len(last), width, dtype=np.float32), np.eye(width, dtype=np.float32)
    out = np.zeros((width, 1), dtype=np.float32)
    out[: len(last)] = last
    none = np.zeros(width, dtype=np.float32)
    return replace(
        network,
        weights=(*network.weights[:-1], into, through, out),
        biases=(*network.biases[:-1], none, none, network.biases[-1]),
    )


def _made(package: ModelPackage, **changes: Any) -> ModelPackage:
    return recorded(replace(package, version="", **changes), package.golden)


def poisoned_labels(settings: Settings) -> None:
    """Train the package of a work folder again, on shuffled labels."""
    chance = np.random.default_rng(SEED)
    _, split = newest_examples(settings.work)
    labels = {part: shuffled(getattr(split, part), chance) for part in PARTS}
    for part, label in labels.items():
        path = settings.work.training / EXAMPLES / f"{part}_label.npy"
        path.unlink()  # what was mapped stays as it was
        np.save(path, label)
    for step in (train_gbm, train_neural, package):
        step(settings, SilentProgress())


def _changed(change: Callable[[ModelPackage], ModelPackage]) -> Callable[[Settings], None]:
    def apply(settings: Settings) -> None:
        good = ModelPackage.load(settings.work.model)
        with replace_directory(settings.work.model) as folder:
            save_package(folder, change(good))

    return apply


POISONS: dict[str, Callable[[Settings], None]] = {
    "labels": poisoned_labels,
    "prices": _changed(overpriced),
    "slow": _changed(slowed),
}


def poison(settings: Settings, kind: str, folder: Path) -> int:
    """Make and register a bad version, as the module says, with `folder` for the copy; return its number."""
    for name in COPIED:
        shutil.copytree(settings.work.root / name, folder / name)
    registry = settings.registry.model_copy(update={"uri": registry_uri(settings)})
    own = settings.model_copy(update={"home": folder, "registry": registry})
    POISONS[kind](own)
    bad = ModelPackage.load(own.work.model).version
    for path, told in (
        (own.work.reports / "evaluation.json", {"model_version": bad}),
        (trial_path(own.work), {"package": bad, "answered_by": [bad]}),
    ):
        write_json(path, read_json(path) | told)
    version = int(register(own, SilentProgress()).metrics["version"])
    remember_trial(own, trial_version(own, str(version))[0], read_json(trial_path(own.work)))
    return version
