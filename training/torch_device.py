"""Where PyTorch computes, and in how many threads: the same for everything that is trained with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from configs.errors import ConfigError


def device_of(wanted: str, variable: str) -> torch.device:
    """Return the device to train on.

    Args:
        wanted: auto, cpu or cuda; auto is a GPU if there is one. variable: names the setting in the message.

    Raises:
        ConfigError: a GPU is wanted that is not there.
    """
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"{variable} asks for a GPU (cuda), but PyTorch sees none here: set it to auto or cpu.")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Let PyTorch compute in so many threads for a while, 0 being one per core.

    Sums of another number of threads round differently: what trains next must not depend on what trained before.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(count or os.cpu_count() or 1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
