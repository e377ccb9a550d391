"""Work spread over forked processes, which inherit everything in memory instead of being sent it."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from threadpoolctl import threadpool_limits

from configs.errors import StageError

Item = TypeVar("Item")
Result = TypeVar("Result")

_work: Callable[[Any], Any] | None = None


def chunks_of(size: int, chunk: int = 200) -> list[range]:
    """Return consecutive ranges of at most `chunk` numbers that together cover `size`."""
    return [range(start, min(start + chunk, size)) for start in range(0, size, chunk)]


def map_forked(work: Callable[[Item], Result], items: Sequence[Item], workers: int) -> Iterator[Result]:
    """Yield `work(item)` of each item, in the order of the items.

    Args:
        work: any callable, closures over large arrays too: it is inherited, never pickled. It must leave what it
            inherits unchanged. Linear algebra runs in one thread in each worker.
        items: small and picklable, as are the results; enough of them that every worker stays busy.
        workers: processes; 0: one per core; 1: no process is started.

    Raises:
        StageError: a worker was ended from outside.
        Exception: the first that `work` raised.
    """
    global _work  # noqa: PLW0603 - inherited by fork: sending it through a pipe would cost more than the work
    count = min(workers or os.cpu_count() or 1, max(1, len(items)))
    if count == 1:
        for item in items:
            with threadpool_limits(1, user_api="blas"):  # as in a worker: sums of other threads round differently
                result = work(item)
            yield result
        return
    _work = work
    pool = ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("fork"), initializer=single_thread)
    try:
        yield from pool.map(_call, items)
    except BrokenProcessPool:
        raise StageError(
            "A worker process was ended from outside, which is how a system out of memory ends processes: close other "
            "programs, or use fewer workers with TILLWISE_EVALUATION__WORKERS=1 and TILLWISE_TRAINING__WORKERS=1."
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        _work = None  # it may hold many arrays


def single_thread() -> None:
    """Let numpy's linear algebra use one thread in this process: small products lose more to waiting than they gain."""
    threadpool_limits(1)


def give_memory_back() -> None:
    """Return freed memory to the system, where the C library can: many results received leave holes between them."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _call(item: Any) -> Any:
    assert _work is not None
    return _work(item)
