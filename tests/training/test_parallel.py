"""Work over forked processes: in order, with everything inherited, and no hanging when a worker dies."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from configs.errors import StageError
from training.parallel import map_forked


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    large = {number: number**2 for number in range(100)}  # a closure over it cannot be pickled
    assert list(map_forked(lambda item: large[item], range(100), workers)) == list(large.values())


def test_work_runs_in_other_processes() -> None:
    assert os.getpid() not in set(map_forked(lambda _: os.getpid(), range(8), 2))


def test_what_work_raises_reaches_the_caller() -> None:
    def fail(item: int) -> int:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(map_forked(fail, range(6), 2))


def test_a_killed_worker_is_told_instead_of_waited_for() -> None:
    def die(item: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(StageError, match="ended from outside"):
        list(map_forked(die, range(4), 2))


def test_whoever_stops_reading_early_leaves_no_process() -> None:
    results: Iterator[int] = map_forked(lambda _: os.getpid(), range(50), 2)
    worker = next(results)
    results.close()  # type: ignore[attr-defined]
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


def test_linear_algebra_in_a_worker_keeps_to_one_thread() -> None:
    np.ones((4, 4)) @ np.ones((4, 4))  # loads the library before the fork
    for threads in map_forked(lambda _: {lib["num_threads"] for lib in threadpool_info()}, [1, 2, 3], 2):
        assert threads == {1}
