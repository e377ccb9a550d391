"""The process that starts the flows when they are due: `python -m pipelines.flows.runner`, kept by `flows serve`."""

from __future__ import annotations

import asyncio
import os

from prefect.runner import Runner

from configs import load_settings
from configs.home import write_json
from pipelines.flows.deployments import deployments
from pipelines.flows.runner_beat import BEAT


async def run() -> None:
    """Tell the server of the flows, then run what is due until the process is ended."""
    settings = load_settings()
    runner = Runner(name="tillwise", pause_on_shutdown=False)
    for deployment in await deployments(settings):
        await runner.aadd_deployment(deployment)
    write_json(settings.work.run / BEAT, {"pid": os.getpid()})
    await runner.start()


if __name__ == "__main__":
    asyncio.run(run())
