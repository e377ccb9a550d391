"""Workflows of GitHub Actions as typed data: exactly the parts that ours use, everything else is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

FOLDER = Path(__file__).resolve().parents[2] / ".github" / "workflows"
Pinned = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+@[0-9a-f]{40}$")]
Text = Annotated[str, StringConstraints(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", populate_by_name=True)


class Input(_Part):
    """Something that is typed in when a workflow is started by hand."""

    description: Text
    type: Literal["string", "boolean", "choice"]
    options: list[Text] = []
    required: bool = False
    default: str | bool | None = None

    @model_validator(mode="after")
    def _choice_among_options(self) -> Input:
        assert (self.type == "choice") == bool(self.options), "a choice has options, nothing else does"
        assert self.type != "choice" or self.default in self.options
        return self


class Dispatch(_Part):
    """Started by hand."""

    inputs: dict[str, Input]


class Schedule(_Part):
    """Started by the clock, UTC."""

    cron: Annotated[str, StringConstraints(pattern=r"^(\S+ ){4}\S+$")]


class Triggers(_Part):
    """What starts a workflow; `pull_request_target`, which hands secrets to strangers' code, is none of them."""

    push: dict[Literal["branches"], list[Text]] | None = None
    pull_request: None = None
    schedule: list[Schedule] = []
    workflow_dispatch: Dispatch | None = None


class Step(_Part):
    """A command or an action."""

    name: Text | None = None
    when: Literal["always()"] | None = Field(default=None, alias="if")
    uses: Pinned | None = None
    with_: dict[str, Any] = Field(default={}, alias="with")
    run: Text | None = None
    env: dict[str, Text] = {}

    @model_validator(mode="after")
    def _one_of_both(self) -> Step:
        assert (self.uses is None) != (self.run is None), "a step either uses an action or runs a command"
        assert self.uses is not None or not self.with_, "a command takes no `with`"
        return self


class Job(_Part):
    """Steps on a machine."""

    runs_on: Literal["ubuntu-24.04"] = Field(alias="runs-on")
    timeout_minutes: int = Field(alias="timeout-minutes", gt=0, le=120)
    environment: Text | None = None
    env: dict[str, Text] = {}
    steps: list[Step] = Field(min_length=1)


class Concurrency(_Part):
    """What may not run beside each other."""

    group: Text
    cancel_in_progress: bool = Field(alias="cancel-in-progress")


class Workflow(_Part):
    """A file in `.github/workflows`."""

    name: Text
    on: Triggers
    permissions: dict[Text, Literal["read"]]
    concurrency: Concurrency
    jobs: dict[str, Job] = Field(min_length=1)

    @property
    def commands(self) -> list[tuple[Job, Step]]:
        """The steps that run a command, with their jobs."""
        return [(job, step) for job in self.jobs.values() for step in job.steps if step.run is not None]


def workflow(name: str) -> Workflow:
    """Return a workflow by the name of its file."""
    content = yaml.safe_load((FOLDER / f"{name}.yml").read_text(encoding="utf-8"))
    content["on"] = content.pop(True)  # YAML 1.1 reads the key `on` as true
    return Workflow.model_validate(content)


def script(name: str, step: str) -> str:
    """Return the command of a named step."""
    (found,) = (one.run for _, one in workflow(name).commands if one.name == step)
    assert found is not None
    return found
