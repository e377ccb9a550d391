"""Whether off-policy estimates come out right: one shop policy's click rate, told from the log of another.

    python -m benchmarks.off_policy

The Open Bandit data (Saito, Aihara, Matsutani and Narita 2021, NeurIPS Datasets and Benchmarks; ZOZO's fashion shop,
seven days of 2019, the sample of 10,000 impressions a log that ships in the package `obp`) hold two policies that ran
side by side: one that shows products at random, and Bernoulli Thompson sampling (BTS), which knows nothing of the
shopper. So what is estimated from one log can be compared with the click rate that the other log really has.
The probabilities with which each product was shown are in the logs. Those of BTS for what random showed are not: it
went on learning all week, so how often it showed each product at each place stands for them, as the mean of that week.

The data name no people: each impression counts as one of its own. The reward model of the doubly robust estimate knows
product and place.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from monitoring.experiments.off_policy import ESTIMATORS, Logged, OffPolicy, cross_fitted, estimate
from training.evaluation.significance import Mean, mean_with_interval

Floats = NDArray[np.float64]
CAMPAIGNS = ("all", "men", "women")
RANDOM, BTS = "random", "bts"
PLACES = 3


@dataclass(frozen=True)
class Log:
    """Impressions: product and place (from 0), int64; click and the probability of the product there, float64."""

    product: NDArray[np.int64]
    place: NDArray[np.int64]
    click: Floats
    propensity: Floats

    @property
    def rows(self) -> NDArray[np.int32]:
        """Each impression's number, which stands for the person."""
        return np.arange(self.click.size, dtype=np.int32)


@dataclass(frozen=True)
class Found:
    """A policy's click rate: as its own log has it, and as told from the other policy's log."""

    campaign: str
    policy: str
    own: Mean
    told: OffPolicy


def main() -> None:
    """Measure and print."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print_table(measure(load_settings()))


def measure(settings: Settings) -> list[Found]:
    """Return for each campaign both policies, and write them to `off_policy.json`.

    Raises:
        ConfigError: the package `obp` is not installed.
    """
    found = [told(settings, campaign, policy) for campaign in CAMPAIGNS for policy in (BTS, RANDOM)]
    report = provenance("python -m benchmarks.off_policy", "Open Bandit data, sample of obp 0.4.1")
    report |= {"clip": settings.monitoring.clip}
    report["policies"] = [asdict(one) | {"agrees": agreeing(one)} for one in found]
    write_json(settings.work.reports / "off_policy.json", report)
    return found


def told(settings: Settings, campaign: str, policy: str) -> Found:
    """Return what a policy earns by its own log and by that of the other one.

    Raises:
        ConfigError: the package `obp` is not installed.
    """
    own, other = read_log(policy, campaign), read_log(BTS if policy == RANDOM else RANDOM, campaign)
    products = int(max(own.product.max(), other.product.max())) + 1
    chances = chances_of(own, products) if policy == BTS else np.full((products, PLACES), 1 / products)
    watched = settings.monitoring
    samples, seed = watched.bootstrap_samples, watched.seed
    return Found(
        campaign,
        policy,
        mean_with_interval(own.click, own.rows, samples, seed),
        estimate(logged_for(other, chances, watched.ridge), clip=watched.clip, samples=samples, seed=seed),
    )


def logged_for(log: Log, chances: Floats, ridge: float) -> Logged:
    """Return a log's choices with what a policy of the given chances (float64[products, PLACES]) would do."""
    shown = _design(log.product, log.place, chances.shape[0])
    # One column a product: what the policy would show is the mean of their designs, weighted by its chances.
    instead = np.concatenate([chances[:, log.place].T, shown[:, chances.shape[0] :]], axis=1)
    predicted, expected = cross_fitted(shown, log.click, log.rows, [shown, instead], ridge)
    return Logged(log.click, log.propensity, chances[log.product, log.place], log.rows, predicted, expected)


def agreeing(found: Found) -> list[str]:
    """Return the estimators that differ from the policy's own click rate by no more than both's 95 % intervals allow.

    The logs are independent, so what each interval reaches towards the other adds up in squares.
    """

    def agrees(estimated: Mean) -> bool:
        low, high = sorted((estimated, found.own), key=lambda mean: mean.value)
        return bool(high.value - low.value <= np.hypot(low.high - low.value, high.value - high.low))

    return [name for name in ESTIMATORS if agrees(found.told.value[name])]


def read_log(policy: str, campaign: str) -> Log:
    """Return one log of the Open Bandit data.

    Raises:
        ConfigError: the package `obp` is not installed.
    """
    import pandas as pd

    file = package_folder() / "dataset" / "obd" / policy / campaign / f"{campaign}.csv"
    columns = ["timestamp", "item_id", "position", "click", "propensity_score"]
    frame = pd.read_csv(file, usecols=columns).sort_values("timestamp", kind="stable")
    return Log(
        frame["item_id"].to_numpy(np.int64),
        frame["position"].to_numpy(np.int64) - 1,
        frame["click"].to_numpy(np.float64),
        frame["propensity_score"].to_numpy(np.float64),
    )


def chances_of(log: Log, products: int) -> Floats:
    """Return float64[products, PLACES], how often each product was shown at a place among all that were shown there."""
    times = np.zeros((products, PLACES))
    np.add.at(times, (log.product, log.place), 1.0)
    shares: Floats = times / times.sum(axis=0)
    return shares


def package_folder() -> Path:
    """Return the folder of the package `obp`. It is not imported: only its data are read.

    Raises:
        ConfigError: it is not installed.
    """
    spec = find_spec("obp")
    if spec is None or spec.origin is None:
        raise ConfigError("The Open Bandit data come with the package obp, which is not installed: run `make install`.")
    return Path(spec.origin).parent


def print_table(found: list[Found]) -> None:
    """Print what was told next to what was."""
    table = Table(
        title="Click rates in %, own and told from the other policy's log", title_justify="left", box=SIMPLE_HEAD
    )
    for heading in ("campaign", "policy", "own log", *ESTIMATORS, "agree", "worth", "mean weight"):
        table.add_column(heading.replace("_", " "), justify="left" if heading in {"campaign", "policy"} else "right")
    for one in found:
        estimates = (_percent(one.told.value[name]) for name in ESTIMATORS)
        rest = f"{len(agreeing(one))} of {len(ESTIMATORS)}", f"{one.told.effective:,.0f}", f"{one.told.mean_weight:.2f}"
        table.add_row(one.campaign, one.policy, _percent(one.own), *estimates, *rest)
    Console().print(table)


def _percent(mean: Mean) -> str:
    return f"{100 * mean.value:.2f} [{100 * mean.low:.2f}, {100 * mean.high:.2f}]"


def _design(product: NDArray[np.int64], place: NDArray[np.int64], products: int) -> Floats:
    """Return float64[impressions, products + PLACES]: a column for each product and each place."""
    columns = np.zeros((product.size, products + PLACES))
    columns[np.arange(product.size), product] = 1.0
    columns[np.arange(product.size), products + place] = 1.0
    return columns


if __name__ == "__main__":
    main()
