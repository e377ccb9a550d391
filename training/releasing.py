"""The running release, as a small file that every worker watches: `var/run/release.json`.

Written by `monitoring.release`, read by the service. It is replaced in one step, and it is the release's own log: what
it says is to be done is done, or done again, by whoever looks at it next, so that no process that is killed leaves a
release half way.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import AwareDatetime, Field, ValidationError

from configs.errors import ConfigError
from configs.home import WorkFolder, read_json, write_json
from configs.section import Section

CONTROL, CANDIDATE = "control", "candidate"
"""The arms of a release's experiment: whom the champion answers, and whom the new version."""


class Release(Section):
    """What the file says.

    Attributes:
        phase: starting: the alias is being moved; running; completing: it becomes champion; stopping: it is withdrawn.
        step: name of the step. since: when it began, by the wall clock.
        experiment: the step's, as `serving/experiments/file.py` has it; None: nobody is shown anything new.
        attempt: which release of this version it is, from 1. started: when it was started.
        champion, champion_package: what it is compared with.
        forced: why the gate was overruled at the start; None if it was not.
        decision: the newest, as `training.decisions.Decision` has it. outcome, bad: of a release that ends: in a word,
            and whether the version is marked as bad.
    """

    version: str = Field(min_length=1, description="in the registry")
    package: str = Field(min_length=1, description="version of its package, a digest of its content")
    step: str = Field(min_length=1)
    since: AwareDatetime
    experiment: dict[str, Any] | None
    phase: Literal["starting", "running", "completing", "stopping"] = "running"
    attempt: int = Field(default=1, ge=1)
    started: AwareDatetime
    champion: str = Field(min_length=1)
    champion_package: str = Field(min_length=1)
    forced: str | None = None
    decision: dict[str, Any] | None = None
    outcome: str | None = None
    bad: bool = False

    @property
    def experiment_name(self) -> str:
        """Name of the step's experiment; a version that is released once more gets a name of its own."""
        again = "" if self.attempt == 1 else f"-{self.attempt}"
        return f"release-{self.version}-{self.step}{again}"


def release_path(work: WorkFolder) -> Path:
    """Return where the running release lies."""
    return work.run / "release.json"


def read_release(path: Path) -> Release | None:
    """Return the running release; None without one.

    Raises:
        ConfigError: something else stands there.
    """
    try:
        content = read_json(path)
        return None if content is None else Release.model_validate(content)
    except (ValidationError, ValueError) as error:
        problems = _problems(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigError(
            f"{path} is no running release ({problems}): delete it to end the release, which leaves everybody with the "
            "champion, and start the release again."
        ) from None


def write_release(work: WorkFolder, release: Release) -> Release:
    """Write and return the running release; every worker on this machine follows within a second or so."""
    write_json(release_path(work), release.model_dump(mode="json"))
    return release


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(map(str, item['loc'])) or 'the file'}: {item['msg']}" for item in error.errors())
