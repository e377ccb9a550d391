"""The processes that `benchmarks.collect` loads: a collector with an empty handler beside it, and a consumer.

python -m benchmarks.collecting collector PORT
python -m benchmarks.collecting consumer
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from litestar import Request, post
from litestar.status_codes import HTTP_200_OK

from configs import load_settings
from configs.errors import PartError
from configs.processes import start_child
from events.consumer import run_consumer
from serving.app import make_collector_app
from serving.schema import BatchAccepted

FLOOR = "/floor"
READY_SECONDS = 120.0
STOP_SECONDS = 15.0


@post(FLOOR, status_code=HTTP_200_OK, include_in_schema=False)
async def floor(request: Request[Any, Any, Any]) -> BatchAccepted:
    """Read a body and do nothing with it."""
    await request.body()
    return BatchAccepted(accepted=0, rejected=[])


def main() -> None:
    """Be one of the processes, until SIGTERM."""
    settings = load_settings()
    if sys.argv[1] == "consumer":
        run_consumer(settings)
        return
    app = make_collector_app(settings, time.time)
    app.register(floor)
    uvicorn.run(app, port=int(sys.argv[2]), log_level="warning", access_log=False, ws="none")


@contextmanager
def running(port: int, redis_url: str, folder: Path) -> Iterator[str]:
    """Run both while the block lasts, on a Redis; yield the collector's URL once it answers.

    Raises:
        PartError: it does not in time; tells the end of its output.
    """
    environment = os.environ | {"TILLWISE_REDIS__URL": redis_url, "TILLWISE_EVENTS__BROKER_URL": redis_url}
    environment |= {"TILLWISE_HOME": str(folder), "TILLWISE_LOG__LEVEL": "warning"}
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as stack, (folder / "processes.log").open("ab") as log:
        for arguments in (["collector", str(port)], ["consumer"]):
            child = start_child([sys.executable, "-m", "benchmarks.collecting", *arguments], log, env=environment)
            stack.callback(_end, child)
        deadline = time.monotonic() + READY_SECONDS
        while not _answers(url):
            if time.monotonic() > deadline:
                said = (folder / "processes.log").read_text(errors="replace")[-1_000:]
                raise PartError(f"The collector did not start: {said}")
            time.sleep(0.1)
        yield url


def _answers(url: str) -> bool:
    try:
        return httpx.post(f"{url}{FLOOR}", timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def _end(child: subprocess.Popen[bytes]) -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


if __name__ == "__main__":
    main()
