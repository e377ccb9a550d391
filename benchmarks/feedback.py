"""What learning from shown products brings, with and without correcting for what was not looked at. Shoppers simulated.

    python -m benchmarks.feedback --answers 20000

Requests, candidates and features are those of real baskets of the last training fold before the cutoff. What shoppers
want is made up, so that the truth is known: a function of the features that history does not tell, as a checkout page
differs from a weekly shop. Answers of ten products are ranked by trees that learned from baskets of the fold before.
Simulated shoppers look at place k with the chance of 1/k, and take what they look at by how much they want it. In one
answer of twenty chance fills the last three places. Then trees are trained as `train` does it, on the same baskets and:
nothing else; what was taken, uncorrected; corrected by the estimated curve; corrected by the true one. NDCG@10 is that
against what is truly wanted, on requests that were never shown. A second table tells how far the estimated curve lies
from the true one, by how many products were taken.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, SilentProgress, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.dataset import build_examples, product_matrices
from training.evaluation.significance import Mean, mean_with_interval
from training.examples import Examples, Split
from training.feedback.draws import chance_to_be_seen, draws_of
from training.feedback.examination import Examination, configured, examine
from training.feedback.gather import looks_of
from training.feedback.outcomes import Came
from training.feedback.shown import Exposures
from training.gbm import fit_gbm
from training.neural.network import Scaling
from training.parallel import single_thread

Floats = NDArray[np.float64]
PLACES, SLOTS, POOL, EPSILON = 10, 3, 20, 0.05
CURVE = 1.0 / np.arange(1, PLACES + 1)
LEVEL = -2.0
"""Log-odds of wanting a typical candidate."""
NOTHING, UNCORRECTED, CORRECTED, TRUE = "baskets only", "uncorrected", "corrected, estimated", "corrected, true curve"
SEED = 20251123


@dataclass(frozen=True)
class Requests:
    """Candidates of requests, one after another: features; group, rows of each; wanted, float64[rows] in (0, 1)."""

    features: NDArray[np.float32]
    group: NDArray[np.int64]
    wanted: Floats

    @property
    def start(self) -> NDArray[np.int64]:
        """int64[requests], first row of each."""
        start: NDArray[np.int64] = np.cumsum(self.group) - self.group
        return start


@dataclass(frozen=True)
class Found:
    """NDCG@10 of each way to learn; the curve that was estimated; by answers, products taken and the curve's error."""

    ndcg: dict[str, Mean]
    examination: Examination
    errors: dict[int, dict[str, float]]


def main() -> None:
    """Measure and print."""
    single_thread()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=20_000, help="shown to simulated shoppers")
    print_table(measure(load_settings(), parser.parse_args().answers))


def measure(settings: Settings, answers: int) -> Found:
    """Return the figures, and write them to `feedback.json`.

    Args:
        settings: of a work folder with data and features. answers: at least 200.

    Raises:
        ConfigError: too few answers are asked for. NotBuiltError: no data or features were built.
        DataError: the history is too short.
    """
    if answers < 200:
        raise ConfigError(f"Found --answers {answers}, expected at least 200.")
    baskets, later = _folds(settings)
    rng = np.random.default_rng(SEED)
    logged, test = _requests(later, rng)
    policy, _ = fit_gbm(baskets, settings.training, SilentProgress())
    shown, came = shown_to(logged, np.asarray(policy.predict(logged.features)), answers, rng)
    told = examine(looks_of(shown, came), settings.feedback.examination)
    curves = {UNCORRECTED: None, CORRECTED: told.curve, TRUE: CURVE}
    ndcg = {NOTHING: _quality(settings, baskets, test)}
    for name, curve in curves.items():
        seen = np.ones(came.size) if curve is None else chance_to_be_seen(shown, curve)
        learn = baskets.learn.joined(draws_of(shown, came, seen, settings.feedback)[0])
        ndcg[name] = _quality(settings, replace(baskets, learn=learn), test)
    found = Found(ndcg, told, _errors(settings, shown, came))
    report = provenance("python -m benchmarks.feedback", ingest_record(settings.work.data)["fingerprint"])
    report |= {"shoppers": "simulated", "answers": answers, "taken": int((came != Came.NOTHING).sum())}
    report |= {"ndcg@10": {name: vars(mean) for name, mean in ndcg.items()}, "true_curve": CURVE.tolist()}
    report |= {"estimated_curve": told.curve.tolist(), "source": told.source}
    report |= {"curve_error_by_answers": found.errors}
    write_json(settings.work.reports / "feedback.json", report)
    return found


def shown_to(
    requests: Requests, score: Floats, answers: int, rng: np.random.Generator
) -> tuple[Exposures, NDArray[np.int8]]:
    """Return answers, ranked by score, to requests drawn at random, and int8[rows], what simulated shoppers took."""
    able = np.flatnonzero(requests.group >= PLACES - SLOTS + POOL)
    first, rows, propensity, explored = PLACES - SLOTS, [], [], rng.random(answers) < EPSILON
    for answer, request in enumerate(rng.choice(able, answers)):
        begin = requests.start[request]
        ranked = begin + np.argsort(-score[begin : begin + requests.group[request]], kind="stable")
        drawn = rng.permutation(POOL)[:SLOTS] if explored[answer] else np.arange(SLOTS)
        rows.append(np.append(ranked[:first], ranked[first + drawn]))
        propensity += [1.0] * first + ((1 - EPSILON) * (drawn == np.arange(SLOTS)) + EPSILON / POOL).tolist()
    row, place = np.concatenate(rows), np.tile(np.arange(PLACES), answers)
    taken = rng.random(row.size) < CURVE[place] * requests.wanted[row]
    shown = Exposures(
        [f"r{answer}" for answer in range(answers)],
        ["policy"] * answers,
        explored,
        np.full(answers, PLACES),
        [f"p{number}" for number in row.tolist()],
        place,
        score[row],
        np.array(propensity),
        requests.features[row],
    )
    return shown, np.where(taken, Came.ORDER, Came.NOTHING).astype(np.int8)


def ndcg_at_10(requests: Requests, score: Floats) -> Floats:
    """Return float64[requests], NDCG@10 with what is wanted as gain; of equal scores the first row comes first."""
    discount, found = 1 / np.log2(np.arange(2, 12)), []
    for start, size in zip(requests.start.tolist(), requests.group.tolist(), strict=True):
        wanted = requests.wanted[start : start + size]
        ranked = wanted[np.argsort(-score[start : start + size], kind="stable")][:10]
        best = np.sort(wanted)[::-1][:10]
        found.append(float(ranked @ discount[: ranked.size]) / float(best @ discount[: best.size]))
    return np.array(found)


def print_table(found: Found) -> None:
    """Print what each way to learn earns, and how well the curve was told."""
    table = Table(title="Against what simulated shoppers want", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("learned from", "NDCG@10", "95 %"):
        table.add_column(heading, justify="left" if heading == "learned from" else "right")
    for name, mean in found.ndcg.items():
        table.add_row(name, f"{mean.value:.4f}", f"{mean.low:.4f} to {mean.high:.4f}")
    Console().print(table)
    title = f"Examination, told by {found.examination.source}"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("answers", "products taken", "mean error, estimated", "configured curve"):
        table.add_column(heading, justify="right")
    for answers, row in found.errors.items():
        table.add_row(f"{answers:,}", f"{row['taken']:,.0f}", f"{row['estimated']:.0%}", f"{row['configured']:.0%}")
    Console().print(table)


def _folds(settings: Settings) -> tuple[Split, Examples]:
    """Return examples of the last fold but one, to learn from, and candidates of the last one, as requests."""
    history, record = load_history(settings.work.data), ingest_record(settings.work.data)
    folds = cut_windows(history, record["timezone"], settings.windows).folds[-2:]
    store = open_store(settings)
    splits = []
    for fold in folds:
        sides = product_matrices(settings, store, history, [fold.start])
        splits.append(build_examples(settings, store, history, [fold], sides=sides, progress=lambda _: None))
    return splits[0], splits[-1].learn


def _requests(examples: Examples, rng: np.random.Generator) -> tuple[Requests, Requests]:
    """Return requests to log and requests to judge on, with made-up wants that one function of the features tells."""
    inputs = Scaling.of(examples.features).inputs(examples.features).astype(np.float64)
    inputs = inputs[:, np.ptp(inputs, axis=0) > 0]
    linear = inputs @ rng.normal(size=inputs.shape[1])
    bent = np.tanh(inputs @ rng.normal(size=inputs.shape[1])) * np.tanh(inputs @ rng.normal(size=inputs.shape[1]))
    wanted = 1 / (1 + np.exp(-(LEVEL + linear / linear.std() + bent / bent.std())))
    judged = rng.random(examples.group.size) < 0.3

    def part(draws: NDArray[np.bool_]) -> Requests:
        rows = draws[examples.draw]
        return Requests(examples.features[rows], examples.group[draws].astype(np.int64), wanted[rows])

    return part(~judged), part(judged)


def _quality(settings: Settings, examples: Split, test: Requests) -> Mean:
    booster, _ = fit_gbm(examples, settings.training, SilentProgress())
    values = ndcg_at_10(test, np.asarray(booster.predict(test.features)))
    people = np.arange(values.size, dtype=np.int32)
    return mean_with_interval(values, people, settings.evaluation.bootstrap_samples, SEED)


def _errors(settings: Settings, shown: Exposures, came: NDArray[np.int8]) -> dict[int, dict[str, float]]:
    """Return by number of answers how many products were taken, and the mean relative error of either curve."""
    eager = settings.feedback.examination.model_copy(update={"least_outcomes": 1})
    base, found = configured(PLACES, eager).curve, {}
    sizes: list[int] = [size for size in (200, 500, 1_000, 2_000, 5_000, 10_000) if size < len(shown)]
    for size in [*sizes, len(shown)]:
        some = shown.only(np.arange(len(shown)) < size, "later")
        taken: Any = came[: some.place.size]
        told = examine(looks_of(some, taken), eager).curve
        errors = (float(np.abs(curve / CURVE - 1).mean()) for curve in (told, base))
        found[size] = {
            "taken": float((taken != Came.NOTHING).sum()),
            "estimated": next(errors),
            "configured": next(errors),
        }
    return found


if __name__ == "__main__":
    main()
