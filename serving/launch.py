"""Starts the service: finds the champion's package, then becomes the BentoML server."""

from __future__ import annotations

import os
import sys
import time

import structlog

from configs import Settings
from configs.errors import NotBuiltError
from serving.clock import STARTED
from training.aliases import CHAMPION, pointer_path
from training.following import Follower, RegistryError

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Replace this process by the server, in the foreground, until SIGTERM or SIGINT.

    Raises:
        NotBuiltError: no model is champion yet, nor ever served here. ConfigError: the experiments file or an arm's
            rules file does not fit.
    """
    if settings.serving.experiments is not None:
        from serving.experiments import running_experiments
        from serving.rules import read_rules

        for file in running_experiments(settings).rules.values():  # here it is one sentence, in a worker a stack trace
            read_rules(file)
    if settings.serving.package is None:
        _point_at_champion(settings)
    environment = os.environ | {
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(settings.work.run / "bentoml"),
        STARTED: repr(time.time()),
    }
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Service"]
    command += ["--host", settings.serving.host, "--port", str(settings.serving.port)]
    os.execve(sys.executable, command, environment)


def _point_at_champion(settings: Settings) -> None:
    """Let the pointers say what the registry does now; if that does not answer, what it said last serves.

    Raises:
        NotBuiltError: no model is champion.
    """
    trouble = None
    try:
        Follower(settings).look()
    except RegistryError as error:
        trouble = str(error)
    if not pointer_path(settings.work, CHAMPION).exists():
        because = "" if trouble is None else f" ({trouble})"
        no_model = f"No model is champion yet{because}: run `make run`, or `tillwise train`, `register` and `promote`."
        from serving.bare import LAST_RESORT  # loads all that serves: this process is about to become another one

        if not (settings.work.run / LAST_RESORT).exists():
            raise NotBuiltError(no_model)
        log.error("the service answers with what sold when a model last served", reason=no_model)
    if trouble is not None:
        log.warning("registry out of reach, its last word counts", error=trouble)
