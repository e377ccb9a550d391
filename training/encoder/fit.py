"""Fitting in time order: the encoder of a moment has seen the baskets before it, and goes on from there to the next.

So every training fold is scored by an encoder that knows none of its baskets, as a served one is, at the price of one
training. Loss: sampled softmax with its correction (Bengio and Senécal 2008; logQ form of Yi et al. 2019, RecSys);
AdamW on a one-cycle schedule for each stretch.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from configs.settings import EncoderSettings
from features.context import ProductMatrix
from features.encoder import Encoder
from features.history import History
from features.top import top_rows
from training.encoder.draws import Draws, Purchases
from training.encoder.network import Batch, EncoderNetwork
from training.torch_device import device_of, torch_threads

FLATTENING = 0.75
"""Exponent on a product's orders that makes its odds to be sampled (Mikolov et al. 2013)."""


class EncoderFit:
    """An encoder in the making."""

    def __init__(
        self, history: History, timezone: str, settings: EncoderSettings, purchases: Purchases | None = None
    ) -> None:
        """Learn from `purchases`, the history's own unless something is to be kept from the encoder."""
        self._history, self._timezone, self._settings = history, timezone, settings
        self._purchases = purchases or Purchases(history, timezone)
        self._rng = np.random.default_rng(settings.seed)
        self._device = device_of(settings.device, "TILLWISE_ENCODER__DEVICE")
        self._network: EncoderNetwork | None = None
        self._optimiser: torch.optim.Optimizer | None = None
        self._orders = 0

    def until(self, matrix: ProductMatrix, as_of: int, tell: Callable[[float], None] = lambda _: None) -> Encoder:
        """Return the encoder that knows the orders before `as_of`, after learning from those it had not seen.

        Args:
            matrix: the product side as of the same moment; its item vectors are where the first fit starts.
            as_of: unix seconds, not before that of an earlier call. tell: told the finished share.
        """
        known = self._history.before(as_of)
        if self._network is None:
            torch.manual_seed(self._settings.seed)
            self._network = EncoderNetwork(matrix, self._settings.hidden).to(self._device)
        fresh = np.flatnonzero(np.diff(known.start)[self._orders :] >= 2) + self._orders
        if fresh.size:
            with torch_threads(self._settings.threads):
                self._learn(self._network, fresh, known, first=self._orders == 0, tell=tell)
        self._orders = len(known)
        return Encoder(
            self._network.weights(), self._settings.history, self._timezone, _lively(matrix), _unsold(matrix)
        )

    def _learn(
        self,
        network: EncoderNetwork,
        orders: NDArray[np.intp],
        known: History,
        *,
        first: bool,
        tell: Callable[[float], None],
    ) -> None:
        settings = self._settings
        epochs = settings.epochs if first else settings.later_epochs
        rate = settings.learning_rate if first else settings.learning_rate * settings.later_rate
        steps = epochs * -(-orders.size // settings.batch)
        odds = np.bincount(known.product, minlength=len(known.catalogue)).astype(np.float64) ** FLATTENING
        sampler = _Sampler(odds, settings.negatives)
        # Fused, since every product's vector moves in every step: one pass over them all instead of several.
        optimiser = torch.optim.AdamW(
            network.parameters(), rate, betas=(0.9, 0.98), weight_decay=settings.weight_decay, fused=True
        )
        if self._optimiser is not None:
            optimiser.load_state_dict(self._optimiser.state_dict())
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + 1, pct_start=0.15)
        done = 0
        for _ in range(epochs):
            shuffled = self._rng.permutation(orders)
            for start in range(0, shuffled.size, settings.batch):
                chosen = shuffled[start : start + settings.batch]
                draws = self._purchases.draw(
                    chosen, self._rng, cart=settings.cart, hidden=settings.hidden_products, history=settings.history
                )
                batch = _batch(draws, *sampler.sample(draws.hidden, self._rng), self._device)
                with torch.autocast("cuda", enabled=self._device.type == "cuda"):
                    loss = network.loss(batch)
                optimiser.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call] # PyTorch leaves this one untyped
                optimiser.step()
                schedule.step()
                done += 1
                tell(done / steps)
        self._optimiser = optimiser


def _lively(matrix: ProductMatrix) -> NDArray[np.int32]:
    """Return the rows of the most popular products in stock, ascending."""
    rows = matrix.by_popularity[: matrix.features.encoder_pool]
    return np.sort(rows[matrix.catalogue.in_stock[rows]])


def _unsold(matrix: ProductMatrix) -> NDArray[np.int32]:
    """Return the rows of products in stock that nobody has bought, ascending.

    Those of the categories whose products sell best, if there are too many: of them one hears most.
    """
    leaf = matrix.catalogue.levels.leaf
    per_product = matrix.category_popularity / np.maximum(np.bincount(leaf), 1)
    rows = np.flatnonzero((np.asarray(matrix.stats.orders) == 0) & matrix.catalogue.in_stock)
    best = rows[top_rows(per_product[leaf[rows]], matrix.features.encoder_unsold)]
    return np.sort(best).astype(np.int32)


class _Sampler:
    """Draws the products that compete with the hidden ones."""

    def __init__(self, odds: NDArray[np.float64], count: int) -> None:
        share = odds / odds.sum()
        self._steps, self._count = np.cumsum(share), count
        self._log_expected = np.log(np.maximum(share * count, 1e-12)).astype(np.float32)

    def sample(
        self, hidden: NDArray[np.int32], rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return (ascending distinct product rows, log of how often each is expected in a sample)."""
        drawn = np.searchsorted(self._steps, rng.random(self._count) * self._steps[-1])
        rows = np.unique(np.concatenate([np.minimum(drawn, self._steps.size - 1), hidden[hidden >= 0]])).astype(
            np.int64
        )
        return rows, self._log_expected[rows]


def _batch(draws: Draws, sampled: NDArray[np.int64], correction: NDArray[np.float32], device: torch.device) -> Batch:
    named = np.concatenate([draws.cart.ravel(), draws.history.ravel(), sampled])
    items = np.unique(named[named >= 0]).astype(np.int64)

    def place(rows: NDArray[np.int32], among: NDArray[np.int64], missing: int) -> Tensor:
        """Positions of rows among ascending ones; `missing` where they are not."""
        found = np.minimum(np.searchsorted(among, rows), among.size - 1)
        return put(np.where(among[found] == rows, found, missing))

    def put(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device, non_blocking=True)

    return Batch(
        items=put(items),
        cart=place(draws.cart, items, 0),
        history=place(draws.history, items, 0),
        in_cart=put((draws.cart >= 0).astype(np.float32)),
        is_hidden=put((draws.hidden >= 0).astype(np.float32)),
        is_past=put((draws.history >= 0).astype(np.float32)),
        age=put(draws.age),
        situation=put(draws.situation),
        sampled=put(np.searchsorted(items, sampled)),
        correction=put(correction),
        habit=place(draws.history, sampled, -1),
        target=place(draws.hidden, sampled, -1),
        of_cart=place(draws.cart, sampled, -1),
    )
