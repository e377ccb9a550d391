"""Waiting until every worker of the service on this machine serves a package."""

from __future__ import annotations

import time

import httpx

from configs import Settings
from monitoring.watch.incidents import now_text

ANSWER_SECONDS = 2.0
LOOK_SECONDS = 0.05


def swapped_at(settings: Settings, package: str, patience: float) -> str | None:
    """Return when the last worker was seen to serve a package (RFC 3339); None if the service is away or does not.

    Each worker answers for itself, so it is asked over a new connection each time until all have been heard.

    Args:
        settings: where the service listens, and how many workers it has. package: that is to serve.
        patience: seconds to wait at most.
    """
    deadline, serving = time.monotonic() + patience, set[int]()
    while time.monotonic() < deadline:
        try:
            told = httpx.get(f"{settings.service_url}/v1/status", timeout=ANSWER_SECONDS).json()["model"]
        except (httpx.ConnectError, httpx.ConnectTimeout):
            return None
        except (httpx.HTTPError, ValueError, KeyError):
            told = None
        if told is not None and told["version"] == package:
            serving.add(told["process"])
        elif told is not None:
            serving.discard(told["process"])
        if len(serving) >= settings.serving.workers:
            return now_text()
        time.sleep(LOOK_SECONDS)
    return None
