"""Starts the service: finds the champion's package, then becomes the BentoML server."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import structlog

from configs import Settings
from configs.errors import NotBuiltError, PackageError
from serving.clock import STARTED, start_of
from training.aliases import CHAMPION, pointer_path, read_pointer
from training.following import Follower, RegistryError
from training.manifest import read_manifest

log = structlog.get_logger()


def serve(settings: Settings) -> None:
    """Replace this process by the server, in the foreground, until SIGTERM or SIGINT.

    Raises:
        NotBuiltError: no model is champion yet, nor ever served here. ConfigError: see `check_files`.
    """
    check_files(settings)
    if settings.serving.package is None:
        _point_at_champion(settings)
    environment = os.environ | {
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(settings.work.run / "bentoml"),
        STARTED: repr(clock_start(settings)),
    }
    command = [sys.executable, "-m", "bentoml", "serve", "serving.service:Service"]
    command += ["--host", settings.serving.host, "--port", str(settings.serving.port)]
    os.execve(sys.executable, command, environment)


def check_files(settings: Settings) -> None:
    """Read the files that the settings name, as each worker will: here what is wrong is one sentence.

    Raises:
        ConfigError: the shop's rules, the experiments file or an arm's rules do not fit.
    """
    serving = settings.serving
    files = [] if serving.rules is None else [serving.rules_file]
    if serving.experiments is not None:
        from serving.experiments import running_experiments

        files += running_experiments(settings).rules.values()
    if files:
        from serving.rules import read_rules

        for file in files:
            read_rules(file)


def clock_start(settings: Settings) -> float:
    """Return from when on the service's clock counts: see `serving.clock`."""
    return start_of(settings.work.run, _data_served(settings), time.time())


def _data_served(settings: Settings) -> str | None:
    """Return the fingerprint of the data behind what is about to serve; None if it cannot be told."""
    try:
        folder = settings.serving.package
        if folder is None:
            pointer = read_pointer(pointer_path(settings.work, CHAMPION))
            folder = None if pointer is None else Path(pointer.folder)
        manifest = None if folder is None else read_manifest(folder)
    except (PackageError, ValueError):  # workers say what is wrong with it, and serve another one
        return None
    return None if manifest is None else manifest.get("data")


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
