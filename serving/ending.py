"""Ending background tasks for certain."""

from __future__ import annotations

import asyncio
from typing import Any

PATIENCE_SECONDS = 0.5


async def end(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task until it has ended; what it raises is of no interest any more.

    Once is not always enough: a cancellation that comes while a client's own timeout expires is taken for the timeout.
    """
    while task is not None and not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
