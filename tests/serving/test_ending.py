"""A background task ends, even if it takes a cancellation for something else."""

from __future__ import annotations

import asyncio

import pytest

from serving import ending


@pytest.mark.parametrize("swallowed", [0, 1, 3])
def test_a_task_ends_however_often_it_swallows_its_cancellation(
    swallowed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "PATIENCE_SECONDS", 0.01)
    noticed = 0

    async def stubborn() -> None:
        nonlocal noticed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                noticed += 1
                if noticed > swallowed:
                    raise

    async def run() -> bool:
        task = asyncio.create_task(stubborn())
        await asyncio.sleep(0)
        await asyncio.wait_for(ending.end(task), 5)
        await ending.end(task)
        await ending.end(None)
        return task.cancelled()

    assert asyncio.run(run())
    assert noticed == swallowed + 1
