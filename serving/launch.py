"""Starts the service: finds the champion's package, then becomes the BentoML server."""

from __future__ import annotations

import os
import sys

from configs import Settings
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
        NotBuiltError: no model is champion yet. ConfigError: the experiments file does not fit.
    """
    if settings.serving.experiments is not None:
        from serving.experiments import running_experiments

        running_experiments(settings)  # here it is one sentence, in a worker it would be a stack trace
    package = settings.serving.package or champion_package(settings)
    environment = os.environ | {
        "TILLWISE_SERVING__PACKAGE": str(package),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(settings.work.run / "bentoml"),
        "BENTOML_CONFIG_OPTIONS": _BENTOML_OPTIONS,
    }
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Service"]
    command += ["--host", settings.serving.host, "--port", str(settings.serving.port)]
    os.execve(sys.executable, command, environment)
