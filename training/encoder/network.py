"""The encoder as a PyTorch module; `weights` gives the plain arrays that `features.encoder` computes the same with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import embedding

from features.context import ProductMatrix
from features.encoder import AGES, DECAYS, SITUATION, EncoderWeights

CLOSENESS = 8.0
"""Weight of the cart's mean vector at the start: item vectors have length 1, and logits should reach further."""

HABITS = (4.0, 14.0, 50.0, 200.0)
"""Days after which a purchase weighs 1/e in the shopper's habit, at the start: the scales are learned."""

FAR = -1e9


@dataclass(frozen=True)
class Batch:
    """Draws as tensors over the distinct products that occur in them.

    Attributes:
        items: int64[u], product rows. cart, hidden, history: int64, positions in `items`, padding anywhere.
        in_cart, is_hidden, is_past: float32, 1 where it is no padding. age: float32, days. situation: float32.
        sampled: int64[n], positions in `items` of the products that compete. correction: float32[n], subtracted.
        habit: int64[draws, l], place of each past purchase in `sampled`, -1 if it does not compete.
        target: int64[draws, t], the same for hidden products.
        of_cart: int64[draws, c], the same for the cart's.
    """

    items: Tensor
    cart: Tensor
    history: Tensor
    in_cart: Tensor
    is_hidden: Tensor
    is_past: Tensor
    age: Tensor
    situation: Tensor
    sampled: Tensor
    correction: Tensor
    habit: Tensor
    target: Tensor
    of_cart: Tensor


class EncoderNetwork(nn.Module):
    """Item table and request encoder. A product's vector is its own plus its category's, parent category's, brand's."""

    def __init__(self, matrix: ProductMatrix, hidden: int) -> None:
        super().__init__()
        vectors = matrix.together.vectors
        products, size = vectors.shape
        levels = matrix.catalogue.levels
        brand = np.unique(matrix.catalogue.brand_keys, return_inverse=True)[1]
        self.own = nn.Embedding(products, size)
        self.bias = nn.Embedding(products, 1)
        self.leaf, self.parent, self.brand = (
            _small(int(code.max()) + 1, size) for code in (levels.leaf, levels.parent, brand)
        )
        codes = np.stack([levels.leaf, levels.parent, brand]).astype(np.int64)
        self.codes: Tensor
        self.register_buffer("codes", torch.from_numpy(codes))
        self.cart_key, self.age = nn.Linear(size, 1, bias=False), nn.Embedding(AGES, 1)
        self.query, self.key = nn.Linear(size, size, bias=False), nn.Linear(size, size, bias=False)
        self.inner, self.outer = nn.Linear(5 * size + SITUATION, hidden), nn.Linear(hidden, size)
        self.skip = nn.Parameter(torch.tensor([CLOSENESS]))
        self.habit = nn.Parameter(torch.full((len(HABITS),), 0.5))
        self.habit_days = nn.Parameter(torch.log(torch.tensor(HABITS)))
        with torch.no_grad():
            self.own.weight.copy_(torch.from_numpy(np.array(vectors)))
            orders = np.asarray(matrix.stats.orders, dtype=np.float32)
            self.bias.weight[:, 0] = torch.from_numpy(0.5 * np.log(orders + 1.0))
            self.age.weight.zero_()
            self.outer.weight.mul_(0.3)

    def table(self, items: Tensor) -> Tensor:
        """Return float[items, d], the vectors of products."""
        codes = self.codes[:, items]
        vectors: Tensor = self.own(items) + self.leaf(codes[0]) + self.parent(codes[1]) + self.brand(codes[2])
        return vectors

    def encode(self, table: Tensor, batch: Batch) -> Tensor:
        """Return float[draws, d], the requests' vectors."""
        # `embedding` and not an index: of the two, its gradient does not depend on how threads take turns.
        cart = embedding(batch.cart, table) * batch.in_cart[..., None]
        mean = cart.sum(1) / batch.in_cart.sum(1, keepdim=True).clamp(min=1)
        in_cart = _attend(self.cart_key(cart)[..., 0], batch.in_cart, cart)
        past = embedding(batch.history, table) * batch.is_past[..., None]
        group = torch.log2(1.0 + batch.age).long().clamp(max=AGES - 1)
        match = torch.einsum("bd,bld->bl", self.query(mean), self.key(past)) / past.shape[-1] ** 0.5
        recalled = _attend(match + self.age(group)[..., 0], batch.is_past, past)
        decayed = []
        for days in DECAYS:
            weight = torch.exp(-batch.age / days) * batch.is_past
            decayed.append(torch.einsum("bl,bld->bd", weight, past) / weight.sum(1, keepdim=True).clamp(min=1e-6))
        inputs = torch.cat([mean, in_cart, recalled, *decayed, batch.situation], 1)
        vector: Tensor = self.outer(torch.relu(self.inner(inputs))) + self.skip * mean
        return vector

    def habits(self, batch: Batch) -> Tensor:
        """Return float[draws, sampled], what the shopper's own habit adds to a product.

        It takes repeat purchases off the vectors, whose task is what habit does not explain: the rankers see habits
        better than any vector does.
        """
        draws, sampled = batch.habit.shape[0], batch.sampled.shape[0]
        draw, purchase = torch.nonzero((batch.habit >= 0) & (batch.is_past > 0), as_tuple=True)
        # Only what was bought before has a habit: going through all pairs took a quarter of a step's time.
        pairs, pair = torch.unique(draw * sampled + batch.habit[draw, purchase], return_inverse=True)
        decayed = torch.exp(-batch.age[draw, purchase, None] / torch.exp(self.habit_days))
        rate = torch.zeros(pairs.numel(), decayed.shape[1], device=decayed.device).index_add(0, pair, decayed)
        worth = (self.habit * torch.log1p(5.0 * rate)).sum(1)
        return torch.zeros(draws * sampled, device=worth.device).scatter(0, pairs, worth).view(draws, sampled)

    def loss(self, batch: Batch) -> Tensor:
        """Return the mean negative log-likelihood of hidden products among the sampled ones (sampled softmax)."""
        table = self.table(batch.items)
        logits = self.encode(table, batch) @ embedding(batch.sampled, table).T
        logits = logits + self.bias(batch.items[batch.sampled])[:, 0] + self.habits(batch) - batch.correction
        rows = torch.arange(len(logits), device=logits.device)[:, None].expand_as(batch.of_cart)
        there = (batch.of_cart >= 0) & (batch.in_cart > 0)
        barred = torch.zeros_like(logits)
        barred[rows[there], batch.of_cart[there]] = FAR
        share = torch.log_softmax(logits + barred, 1).gather(1, batch.target.clamp(min=0))
        per_draw = (share * batch.is_hidden).sum(1) / batch.is_hidden.sum(1).clamp(min=1)
        return -per_draw.mean()

    @torch.no_grad()
    def weights(self) -> EncoderWeights:
        """Return the plain arrays."""
        items = torch.arange(self.own.num_embeddings, device=self.own.weight.device)

        def plain(tensor: Tensor) -> NDArray[np.float32]:
            return np.ascontiguousarray(tensor.detach().float().cpu().numpy().copy())

        return EncoderWeights(
            vectors=plain(self.table(items)),
            bias=plain(self.bias.weight[:, 0]),
            cart_key=plain(self.cart_key.weight[0]),
            query=plain(self.query.weight.T),
            key=plain(self.key.weight.T),
            age=plain(self.age.weight[:, 0]),
            hidden=plain(self.inner.weight.T),
            hidden_bias=plain(self.inner.bias),
            out=plain(self.outer.weight.T),
            out_bias=plain(self.outer.bias),
            skip=plain(self.skip),
        )


def _small(rows: int, size: int) -> nn.Embedding:
    table = nn.Embedding(rows, size)
    nn.init.normal_(table.weight, std=0.02)
    return table


def _attend(match: Tensor, there: Tensor, values: Tensor) -> Tensor:
    """Return float[draws, d], values weighted by the softmax of their match; 0 where none is there."""
    share = torch.softmax(match.masked_fill(there == 0, FAR), 1) * there
    return torch.einsum("bl,bld->bd", share, values)
