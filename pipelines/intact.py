"""Whether stage results that the build cannot see as files of its own are still there."""

from __future__ import annotations

from configs import Settings


def registry_is_there(settings: Settings) -> bool:
    """Return whether the local registry exists; a registry behind a URL is taken to keep what it was given."""
    return settings.registry.uri is not None or (settings.work.registry / "mlflow.db").exists()
