"""What each input of the encoder is worth: it is fitted again without it, and searched for what was hidden.

    python -m benchmarks.encoder                      # every input, on the newest training fold
    python -m benchmarks.encoder --only history --cases 2000

Each encoder knows the orders before the newest training fold and is judged on that fold's baskets, one product hidden:
how often it is among the products nearest to the request, of all the encoder's pool of lively products. The rankers see
far more than this; the figures compare inputs of the encoder, not models.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from configs import Settings, load_settings
from configs.errors import ConfigError
from configs.home import write_json
from configs.provenance import provenance
from features.context import Context, ProductMatrix
from features.encoder import Encoder, Floats
from features.history import ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.candidates.neural import nearest
from training.dataset import product_matrix, states_of
from training.encoder.draws import Draws, Purchases
from training.encoder.fit import EncoderFit
from training.evaluation.significance import Mean, mean_with_interval
from training.evaluation.slices import is_repeat
from training.protocol import Case, make_cases

EVERYTHING = "everything"
INPUTS = ("cart", "history", "time", "catalogue")
"""What may be kept from an encoder: the cart, past purchases, hour and weekday, and category and brand of products."""
SHORT, LONG = 10, 60
CART_SIZE, HISTORY_SIZE, CLOCK = 0, 1, slice(2, None)
"""Columns of `features.encoder.situation`."""


@dataclass(frozen=True)
class Blind(Purchases):
    """Purchases whose draws lack one input."""

    without: str = ""

    def draw(
        self, orders: NDArray[np.intp], rng: np.random.Generator, *, cart: int, hidden: int, history: int
    ) -> Draws:
        """See `Purchases.draw`."""
        draws = super().draw(orders, rng, cart=cart, hidden=hidden, history=history)
        situation = draws.situation.copy()
        if self.without == "cart":
            situation[:, CART_SIZE] = 0
            return replace(draws, cart=np.full_like(draws.cart, -1), situation=situation)
        if self.without == "history":
            situation[:, HISTORY_SIZE] = 0
            none = np.full_like(draws.history, -1)
            return replace(draws, history=none, age=np.zeros_like(draws.age), situation=situation)
        if self.without == "time":
            situation[:, CLOCK] = 0
        return replace(draws, situation=situation)


@dataclass(frozen=True)
class BlindEncoder(Encoder):
    """An encoder that is not told one input."""

    without: str = ""

    def encode(self, cart: NDArray[np.int32], history: NDArray[np.int32], age_days: NDArray[Any], now: float) -> Floats:
        """See `Encoder.encode`."""
        if self.without == "cart":
            cart = cart[:0]
        if self.without == "history":
            history, age_days = history[:0], age_days[:0]
        return super().encode(cart, history, age_days, now)

    def _situation(self, cart: NDArray[np.int32], history: NDArray[np.int32], now: float) -> Floats:
        told = super()._situation(cart, history, now)
        if self.without == "time":
            told[CLOCK] = 0
        return told


@dataclass(frozen=True)
class Worth:
    """One encoder's figures: shares of hidden products among the nearest, 95 % intervals over shoppers.

    Attributes:
        short, long: among the nearest 10, and 60. repeat, new: among the nearest 60, of products bought before and
            not. seconds: of fitting.
    """

    short: Mean
    long: Mean
    repeat: float
    new: float
    seconds: float


def main() -> None:
    """Measure, print and write `encoder.json`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", choices=INPUTS, help="an input; may be repeated")
    parser.add_argument("--cases", type=int, default=10_000, help="most held-out baskets, sampled by seed")
    given = parser.parse_args()
    console = Console(width=100)
    found = measure(load_settings(), given.only or INPUTS, given.cases, console.print)
    console.print(table_of(found))


def measure(
    settings: Settings, inputs: Sequence[str], cases: int, tell: Callable[[str], None] = lambda _: None
) -> dict[str, Worth]:
    """Return the figures of the encoder that is told everything, and of one without each input.

    Args:
        settings: of a work folder with data and features. inputs: of `INPUTS`. cases: at least 1.
        tell: told each encoder before its turn.

    Raises:
        ConfigError: no such input, or no case is asked for. NotBuiltError: data or features have not been built.
    """
    if cases < 1:
        raise ConfigError(f"Found --cases {cases}, expected at least 1.")
    unknown = sorted(set(inputs) - set(INPUTS))
    if unknown:
        raise ConfigError(f"The encoder has no input {unknown[0]!r}: choose from {', '.join(INPUTS)}.")
    trial = _Trial(settings, cases)
    found: dict[str, Worth] = {}
    for without in ("", *inputs):
        name = f"without {without}" if without else EVERYTHING
        tell(f"fitting the encoder: {name}")
        found[name] = trial.judge(without)
    report = provenance("python -m benchmarks.encoder", ingest_record(settings.work.data)["fingerprint"])
    report |= {"cases": len(trial.cases), "encoders": {name: _plain(worth) for name, worth in found.items()}}
    write_json(settings.work.reports / "encoder.json", report)
    return found


class _Trial:
    """The cases, and all that an encoder may know before them."""

    def __init__(self, settings: Settings, most: int) -> None:
        self._settings = settings
        self._history = load_history(settings.work.data)
        self._timezone = ingest_record(settings.work.data)["timezone"]
        fold = cut_windows(self._history, self._timezone, settings.windows).folds[-1]
        least, seed = settings.windows.min_basket_products, settings.windows.seed
        every = make_cases(self._history, fold, hidden_share=0.0, min_products=least, seed=seed)
        chosen = np.sort(np.random.default_rng(seed).permutation(len(every))[:most])
        self.cases: list[Case] = [every[number] for number in chosen.tolist()]
        store = open_store(settings)
        self._as_of = fold.start
        self._matrix = product_matrix(settings, store, self._history, fold.start)
        self._states = states_of(settings, store, self._history, self.cases)

    def judge(self, without: str) -> Worth:
        started = time.perf_counter()
        purchases = Blind(self._history, self._timezone, without)
        fit = EncoderFit(self._history, self._timezone, self._settings.encoder, purchases)
        encoder = fit.until(_uncatalogued(self._matrix) if without == "catalogue" else self._matrix, self._as_of)
        seconds = time.perf_counter() - started
        told = BlindEncoder(**{item.name: getattr(encoder, item.name) for item in fields(Encoder)}, without=without)
        place = np.array([self._place(told, number) for number in range(len(self.cases))])
        shopper = self._history.shopper[[case.order for case in self.cases]]
        repeat, near = is_repeat(self._history, self.cases), (place < LONG).astype(np.float64)
        samples, seed = self._settings.evaluation.bootstrap_samples, self._settings.windows.seed
        return Worth(
            mean_with_interval((place < SHORT).astype(np.float64), shopper, samples, seed),
            mean_with_interval(near, shopper, samples, seed),
            float(near[repeat].mean()) if repeat.any() else float("nan"),
            float(near[~repeat].mean()) if not repeat.all() else float("nan"),
            seconds,
        )

    def _place(self, encoder: Encoder, number: int) -> int:
        """Return how many products outside the cart are nearer than the hidden one; `LONG` stands for more."""
        case = self.cases[number]
        context = Context(replace(self._matrix, encoder=encoder), self._states[number], case.cart, case.at)
        rows = nearest(encoder.lively_pool, context, LONG + case.cart.size)
        rows = rows[~np.isin(rows, case.cart)][:LONG]
        found = np.flatnonzero(rows == case.hidden[0])
        return int(found[0]) if found.size else LONG


def _uncatalogued(matrix: ProductMatrix) -> ProductMatrix:
    """Return the product side as if all products were of one category and no known brand."""
    size = len(matrix.catalogue)
    plain = replace(matrix.catalogue, categories=["all"] * size, brand_keys=np.zeros(size, dtype=np.int64))
    return replace(matrix, catalogue=plain)


def table_of(found: dict[str, Worth]) -> Table:
    """Return one row an encoder."""
    title = "One product hidden: how often it is among the products nearest to the request"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for heading in ("the encoder is told", f"best {SHORT}", "95 %", f"best {LONG}", "95 %", "repeat", "new", "fit s"):
        table.add_column(heading, justify="left" if heading.startswith("the") else "right", no_wrap=True)
    for name, worth in found.items():
        spans = [f"{mean.low:.3f}–{mean.high:.3f}" for mean in (worth.short, worth.long)]
        shares = f"{worth.short.value:.3f}", spans[0], f"{worth.long.value:.3f}", spans[1]
        table.add_row(name, *shares, f"{worth.repeat:.3f}", f"{worth.new:.3f}", f"{worth.seconds:.0f}")
    return table


def _plain(worth: Worth) -> dict[str, Any]:
    means = {name: vars(getattr(worth, name)) for name in ("short", "long")}
    rest = {name: getattr(worth, name) for name in ("repeat", "new")}
    return (
        means | {name: None if np.isnan(value) else value for name, value in rest.items()} | {"seconds": worth.seconds}
    )


if __name__ == "__main__":
    main()
