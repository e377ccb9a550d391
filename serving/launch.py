"""Starts the service: finds the champion's package, then becomes the BentoML server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from configs import Settings
from configs.errors import TillwiseError
from serving.bare import LAST_RESORT
from training.registry import champion_package

_BENTOML_OPTIONS = " ".join(
    [
        "api_server.logging.access.enabled=false",  # costs a tenth of the throughput, says nothing metrics do not
        "api_server.metrics.enabled=true",
        "monitoring.enabled=false",
    ]
)


def serve(settings: Settings) -> None:
    """Replace this process by the server, in the foreground, until SIGTERM or SIGINT.

    Raises:
        NotBuiltError: no model is champion yet, nor ever served here.
    """
    package = settings.serving.package or _champion(settings)
    environment = os.environ | ({} if package is None else {"TILLWISE_SERVING__PACKAGE": str(package)})
    environment |= {
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(settings.work.run / "bentoml"),
        "BENTOML_CONFIG_OPTIONS": _BENTOML_OPTIONS,
    }
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Service"]
    command += ["--host", settings.serving.host, "--port", str(settings.serving.port)]
    os.execve(sys.executable, command, environment)


def _champion(settings: Settings) -> Path | None:
    """Return the champion's package; None if it cannot be had, but what it sold when it last served is known."""
    try:
        return champion_package(settings)
    except TillwiseError as error:
        if not (settings.work.run / LAST_RESORT).exists():
            raise
        print(f"{error} Until then the service answers with what sold when a model last served.", file=sys.stderr)
        return None
