"""Training of the network: per draw, the probability of the hidden products among its candidates.

The loss is the listwise softmax cross-entropy (ListNet's top-one form, Cao et al. 2007, ICML) over the candidates of a
draw, minimised by AdamW (Loshchilov and Hutter 2019, ICLR) on a one-cycle schedule (Smith and Topin 2018).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from configs.settings import NetworkSettings, NeuralSettings
from training.examples import Examples
from training.neural.network import NeuralRanker, Scaling
from training.torch_device import device_of, torch_threads

SCALED_ON = 200_000
"""Rows that the scaling is measured on, drawn at random."""

LOWEST = -1e9


@dataclass(frozen=True)
class Batch:
    """Some draws: their rows, and the draw (from 0) of each row, on the device that trains."""

    rows: NDArray[np.int64]
    draw: Tensor
    draws: int


Loss = Callable[[Tensor, Batch], Tensor]
"""(score float32[rows], what they are scores of) → the loss to minimise."""


def fit_network(
    examples: Examples, settings: NeuralSettings, tell: Callable[[float], None] = lambda _: None
) -> NeuralRanker:
    """Return the network trained on examples, each of whose draws holds a hidden product.

    Args:
        examples: at least one draw.
        settings: size, passes and device.
        tell: told the finished share.

    Raises:
        ConfigError: the settings ask for a GPU that is not there.
    """

    def loss(score: Tensor, batch: Batch) -> Tensor:
        return hidden_loss(examples, score, batch)

    return fit_layers(examples, settings, loss, tell)


def fit_layers(
    examples: Examples,
    settings: NetworkSettings,
    loss_of: Loss,
    tell: Callable[[float], None],
    scaling: Scaling | None = None,
) -> NeuralRanker:
    """Return a network trained to make a loss small.

    Args:
        examples: at least one draw. settings: size, passes and device. loss_of: of the scores of one batch.
        tell: told the finished share. scaling: of the features; None: measured on the examples.

    Raises:
        ConfigError: the settings ask for a GPU that is not there.
    """
    with torch_threads(settings.threads):
        return _fitted(examples, settings, loss_of, tell, scaling)


def _fitted(
    examples: Examples,
    settings: NetworkSettings,
    loss_of: Loss,
    tell: Callable[[float], None],
    scaling: Scaling | None,
) -> NeuralRanker:
    device = device_of(settings.device, "TILLWISE_NEURAL__DEVICE or TILLWISE_STUDENT__DEVICE")
    torch.manual_seed(settings.seed)
    rng = np.random.default_rng(settings.seed)
    scaling = scaling or _scaling(examples, rng)
    network = _layers(scaling.mean.size + int(scaling.may_miss.sum()), settings.hidden).to(device)
    steps = settings.epochs * -(-examples.group.size // settings.batch)
    optimiser = torch.optim.AdamW(network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.learning_rate, total_steps=steps + 1, pct_start=0.15
    )
    for step, batch in enumerate(_batches(examples.group, settings, rng, device), 1):
        inputs = torch.from_numpy(scaling.inputs(examples.features[batch.rows])).to(device)
        loss = loss_of(network(inputs)[:, 0], batch)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call] # PyTorch leaves this one untyped
        optimiser.step()
        schedule.step()
        tell(step / steps)
    return exported(network, scaling)


def hidden_loss(examples: Examples, score: Tensor, batch: Batch) -> Tensor:
    """Return the listwise loss of the scores of a batch of examples, each draw counting by its weight."""
    label = torch.from_numpy(examples.label[batch.rows].astype(np.float32)).to(score.device)
    weight = None if examples.weight is None else torch.from_numpy(examples.weight[batch.rows]).to(score.device)
    return listwise_loss(score, label, batch.draw, batch.draws, weight)


def listwise_loss(score: Tensor, label: Tensor, draw: Tensor, draws: int, weight: Tensor | None = None) -> Tensor:
    """Return the mean over draws of −log softmax of the hidden candidates, averaged within a draw.

    Args:
        score, label: float[rows], label being 1 for hidden. draw: int[rows], from 0. draws: their number.
        weight: float[rows], what a row's part of the loss is multiplied by; None: 1.
    """
    hidden = torch.zeros(draws, device=score.device).index_add(0, draw, label).clamp(min=1)
    share = label / hidden[draw]
    return cross_entropy(score, share if weight is None else share * weight, draw, draws)


def cross_entropy(score: Tensor, share: Tensor, draw: Tensor, draws: int) -> Tensor:
    """Return the mean over draws of the cross-entropy between wanted shares and the softmax of the scores.

    Args:
        score, share: float[rows], shares adding up to 1 in each draw. draw: int[rows], from 0. draws: their number.
    """
    top = torch.full((draws,), LOWEST, device=score.device).scatter_reduce(0, draw, score, "amax").detach()
    score = score - top[draw]
    total = torch.zeros(draws, device=score.device).index_add(0, draw, torch.exp(score))
    return ((torch.log(total)[draw] - score) * share).sum() / draws


def exported(network: nn.Sequential, scaling: Scaling) -> NeuralRanker:
    """Return the trained layers as plain arrays."""
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    weights = tuple(np.ascontiguousarray(layer.weight.detach().cpu().numpy().T) for layer in layers)
    return NeuralRanker(scaling, weights, tuple(layer.bias.detach().cpu().numpy().copy() for layer in layers))


def _layers(inputs: int, hidden: tuple[int, ...]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for outputs in hidden:
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        inputs = outputs
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


def _scaling(examples: Examples, rng: np.random.Generator) -> Scaling:
    rows = len(examples.features)
    sample = rng.permutation(rows)[:SCALED_ON] if rows > SCALED_ON else np.arange(rows)
    return Scaling.of(examples.features[np.sort(sample)])


def _batches(
    group: NDArray[np.int32], settings: NetworkSettings, rng: np.random.Generator, device: torch.device
) -> Iterator[Batch]:
    start = np.cumsum(group, dtype=np.int64) - group
    for _ in range(settings.epochs):
        order = rng.permutation(group.size)
        for first in range(0, order.size, settings.batch):
            chosen = order[first : first + settings.batch]
            size = group[chosen].astype(np.int64)
            before = np.cumsum(size) - size
            rows = np.repeat(start[chosen] - before, size) + np.arange(int(size.sum()))
            draw = torch.from_numpy(np.repeat(np.arange(chosen.size), size)).to(device)
            yield Batch(rows, draw, chosen.size)
