"""A version is tried in a service of its own before anything is decided about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from configs import Settings

if TYPE_CHECKING:
    from pipelines.build import Outcome
    from pipelines.display import Display


def try_first(settings: Settings, display: Display, version: str | None) -> list[Outcome]:
    """Run the trial of a registered version, the newest when None, unless it had one; return what was done."""
    from pipelines.build import run_alone
    from training.registry import registry_client, version_of
    from training.registry_trouble import in_registry
    from training.trials import trial_of

    with in_registry(settings):
        client = registry_client(settings)
        tried = trial_of(settings, client, version_of(client, settings, version)) is not None
    return [] if tried else [run_alone(settings, "trial", display, {"version": version})]
