"""Which experiment runs: the one that the settings name, else that of a release, for as long as its file says so.

A release begins, goes on and ends while the service answers. The request path reads one attribute, `now`; the thread
that follows the models looks at the file.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from configs import Settings
from configs.errors import ConfigError
from serving.experiments.assignment import Experiments, running_experiments
from serving.experiments.file import experiment_of
from serving.models.following import Stamp, stamp_of
from training.aliases import FOLLOWED
from training.releasing import Release, read_release, release_path

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Refused:
    """A release's file that is not followed: why, and the unix second of its refusal."""

    reason: str
    at: float


class RunningExperiments:
    """What runs in this worker.

    Args:
        configured: what the settings name. release: the file of a release; None: none is followed.
        hindered: why a release cannot be followed although its file lies there.

    Attributes:
        now: what requests are dealt by. release: the one that is followed. refused: what its file says now, if that
            does not fit; what it said before goes on.
    """

    def __init__(
        self, configured: Experiments | None = None, release: Path | None = None, hindered: str | None = None
    ) -> None:
        self.now = configured or Experiments()
        self.release: Release | None = None
        self.refused: Refused | None = None
        self._path, self._hindered = release, hindered
        self._seen: Stamp = None

    @classmethod
    def opened(cls, settings: Settings) -> RunningExperiments:
        """Return what the settings say.

        Raises:
            ConfigError: the experiments file does not fit, or what it shows would not be recorded.
        """
        hindered = None
        if settings.serving.experiments is not None:
            hindered = (
                "an experiment of serving.experiments runs, and only one can: take it out and restart the service"
            )
        elif not settings.serving.exposures.enabled:
            hindered = "what it shows would not be recorded: switch serving.exposures.enabled on"
        return cls(running_experiments(settings), release_path(settings.work), hindered)

    def look(self, *, may_begin: bool = True) -> None:
        """Follow the file if it changed since the last look.

        Args:
            may_begin: whether an experiment may begin. Before the models are looked at it may only end, so that nobody
                is dealt a model that is about to be loaded or has just gone.
        """
        stamp = None if self._path is None else stamp_of(self._path)
        if self._path is None or stamp == self._seen:
            return
        try:
            release = read_release(self._path)
            found = None if release is None else self._experiments(release)
        except (ConfigError, OSError) as error:
            self._seen, self.refused = stamp, Refused(str(error), time.time())
            log.error("release refused; what ran before runs on", reason=str(error))
            return
        if found is not None and found.running is not None and not may_begin:
            return
        self._seen, self.refused, self.release = stamp, None, release
        if self._hindered is None:
            self.now = found or Experiments()
            running = None if self.now.running is None else self.now.running.name
            log.info("release followed", experiment=running, version=None if release is None else release.version)

    def _experiments(self, release: Release) -> Experiments:
        if release.experiment is None:
            return Experiments()
        if self._hindered is not None:
            raise ConfigError(f"The release of version {release.version} is not followed: {self._hindered}.")
        return Experiments(experiment_of(release.experiment, f"The experiment in {self._path}", aliases=FOLLOWED))
