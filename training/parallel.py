"""Work over many cases in forked processes that inherit what the work holds on to."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")
Part = TypeVar("Part")

CHUNK = 200

_task: Callable[[Any], Any]


def chunks_of(size: int, chunk: int = CHUNK) -> list[range]:
    """Return consecutive ranges that together cover `size` items."""
    return [range(start, min(start + chunk, size)) for start in range(0, size, chunk)]


def map_in_processes(do: Callable[[Item], Part], items: Sequence[Item], workers: int) -> Iterator[Part]:
    """Yield `do` of each item, in order.

    Args:
        do: may be a closure over large arrays; only items and results travel through pipes.
        items: each large enough to be worth a pipe's round trip.
        workers: processes; 0 is one per core. One does the work in this process.
    """
    workers = min(workers or os.cpu_count() or 1, max(1, len(items)))
    if workers == 1:
        yield from map(do, items)
        return
    global _task  # noqa: PLW0603 - inherited by fork: sending states through a pipe would cost more than the work
    _task = do
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        yield from pool.imap(_call_task, items)


def _call_task(item: Any) -> Any:
    return _task(item)
