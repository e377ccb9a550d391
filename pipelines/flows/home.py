"""Where Prefect keeps what it knows, and which server it talks to: decided before it is imported."""

from __future__ import annotations

import os

from configs import Settings
from pipelines.parts.record import read_up

API_URL = "PREFECT_API_URL"
SERVED = "flows"
"""Under this name `tillwise flows serve` records what it runs."""
SERVER_SECONDS = 120.0
"""How long the server may take to start: on a busy machine it takes a minute to create its database."""


def prefect_environment(settings: Settings) -> dict[str, str]:
    """Return the variables that make Prefect keep to the work folder, and report to nobody.

    A `PREFECT_API_URL` that is set wins; else the server of `tillwise flows serve` is used where it runs. With neither,
    Prefect starts a server for as long as the process lasts, on the same database.
    """
    variables = {
        "PREFECT_HOME": str(settings.work.root / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": f"{SERVER_SECONDS:.0f}",
        "PREFECT_RUNNER_POLL_FREQUENCY": "2",
    }
    url = os.environ.get(API_URL) or (own_url(settings) if is_served(settings) else None)
    return variables | ({API_URL: url} if url else {})


def own_url(settings: Settings) -> str:
    """Return the URL of the API of the server that `tillwise flows serve` starts."""
    return f"http://127.0.0.1:{settings.flows.port}/api"


def is_served(settings: Settings) -> bool:
    """Return whether `tillwise flows serve` runs in this work folder, with a server of its own."""
    record = read_up(settings.work, SERVED)
    server = None if record is None else record.parts.get("prefect")
    return server is not None and server.process() is not None
