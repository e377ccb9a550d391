"""Searches for settings of the trees within a stated budget, on validation draws only.

    python -m benchmarks.tuning --trials 16 --minutes 20 --draws 12000

Rests on the examples of `tillwise examples`: all of them lie before the test window, which stays unseen. Trees learn
from a sample of the draws, stop on one half of the held-back ones and are judged on the other half by NDCG@10. The
present settings are the first trial; the search is a tree-structured Parzen estimator (Bergstra et al. 2011, NeurIPS;
Optuna). Nothing is changed: the table and the best settings are printed, with how sure the lead over the present ones
is, by bootstrap over draws. A winner of many trials is partly lucky: the interval does not know of the others.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, SilentProgress, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from configs.settings import TrainingSettings
from training.evaluation.metrics import Floats
from training.evaluation.significance import Mean, mean_with_interval
from training.examples import Examples, Split
from training.gbm import fit_gbm
from training.stages.files import newest_examples

if TYPE_CHECKING:
    from optuna import Trial

K = 10


@dataclass(frozen=True)
class Tried:
    """One trial: its settings, mean NDCG, lead over the present settings, trees grown and processor seconds."""

    chosen: Mapping[str, Any]
    ndcg: float
    lead: Mean
    trees: int
    seconds: float


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=16, help="most settings tried, the present ones among them")
    parser.add_argument("--minutes", type=float, default=20.0, help="no trial begins later")
    parser.add_argument("--draws", type=int, default=12_000, help="draws that trees learn from, sampled by seed")
    given = parser.parse_args()
    Console().print(table_of(search(load_settings(), given.trials, given.minutes, given.draws)))


def search(settings: Settings, trials: int, minutes: float, draws: int) -> list[Tried]:
    """Return what was tried, best first, and write it to `tuning.json`.

    Args:
        settings: of a work folder with examples. trials, minutes: the budget. draws: to learn from, at most.

    Raises:
        ConfigError: the budget is empty.
        NotBuiltError: there are no examples.
    """
    if min(trials, draws) < 1 or minutes <= 0:
        raise ConfigError(f"--trials {trials}, --minutes {minutes:g}, --draws {draws}: give at least 1, above 0, 1.")
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    made, examples = newest_examples(settings.work)
    stop, judge = halves(examples.held_back)
    split = Split(examples.learn.some(draws, settings.training.seed), stop)
    first: list[Floats] = []
    tried: list[Tried] = []

    def objective(trial: Trial) -> float:
        chosen = suggested(trial)
        started = time.process_time()
        booster, _ = fit_gbm(split, settings.training.model_copy(update=chosen), SilentProgress())
        seconds = time.process_time() - started
        ndcg = ndcg_of(judge, booster.predict(judge.features))
        first.append(ndcg)
        lead = mean_with_interval(ndcg - first[0], np.arange(ndcg.size, dtype=np.int32), 1_000, settings.windows.seed)
        trees = booster.best_iteration or booster.num_trees()
        tried.append(Tried(chosen, float(ndcg.mean()), lead, trees, seconds))
        return tried[-1].ndcg

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=settings.training.seed))
    study.enqueue_trial(present(settings.training))
    study.optimize(objective, n_trials=trials, timeout=60 * minutes)
    tried.sort(key=lambda trial: -trial.ndcg)
    report = provenance("python -m benchmarks.tuning", made.data) | {"budget": {"trials": trials, "minutes": minutes}}
    report |= {"draws": int(split.learn.group.size), "judged": int(judge.group.size)}
    write_json(settings.work.reports / "tuning.json", report | {"tried": [_plain(trial) for trial in tried]})
    return tried


def suggested(trial: Trial) -> dict[str, Any]:
    """Return settings of `training` to try."""
    return {
        "learning_rate": trial.suggest_float("learning_rate", 0.03, 0.2, log=True),
        "leaves": trial.suggest_int("leaves", 15, 127, log=True),
        "min_data_in_leaf": trial.suggest_int("min_data_in_leaf", 20, 1_000, log=True),
        "columns_share": trial.suggest_float("columns_share", 0.2, 1.0),
        "l2": trial.suggest_float("l2", 0.0, 30.0),
    }


def present(training: TrainingSettings) -> dict[str, Any]:
    """Return the present values of what `suggested` varies."""
    names = ("learning_rate", "leaves", "min_data_in_leaf", "columns_share", "l2")
    return {name: getattr(training, name) for name in names}


def halves(examples: Examples) -> tuple[Examples, Examples]:
    """Return every other draw, and the others."""
    even = np.arange(examples.group.size) % 2 == 0
    return examples.of(even), examples.of(~even)


def ndcg_of(examples: Examples, scores: Floats) -> Floats:
    """Return float64[draws], NDCG@10 of ranking each draw's candidates by float64[rows] scores.

    A draw whose hidden product is no candidate counts as 0. One product is hidden in each.
    """
    draw = examples.draw
    best = np.lexsort((-scores, draw))
    start = np.cumsum(examples.group) - examples.group
    place = np.arange(best.size) - start[draw[best]]
    hit = (examples.label[best] > 0) & (place < K)
    ndcg: Floats = np.zeros(examples.group.size)
    ndcg[draw[best][hit]] = 1 / np.log2(place[hit] + 2)
    return ndcg


def table_of(tried: list[Tried]) -> Table:
    """Return one row a trial, best first."""
    table = Table(title=f"Trees on validation draws, NDCG@{K}", title_justify="left", box=SIMPLE_HEAD)
    for heading in (*tried[0].chosen, "trees", "cpu s", "NDCG", "less present", "95 %"):
        table.add_column(heading.replace("_", " "), justify="right", no_wrap=True)
    for trial in tried:
        values = [f"{value:.3g}" for value in trial.chosen.values()]
        lead = f"{trial.lead.value:+.4f}", f"{trial.lead.low:+.4f} to {trial.lead.high:+.4f}"
        table.add_row(*values, str(trial.trees), f"{trial.seconds:.0f}", f"{trial.ndcg:.4f}", *lead)
    return table


def _plain(trial: Tried) -> dict[str, Any]:
    return vars(trial) | {"chosen": dict(trial.chosen), "lead": vars(trial.lead)}


if __name__ == "__main__":
    main()
