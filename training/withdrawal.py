"""Taking an alias away from a version, and marking a version as bad: what a release that is stopped does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from configs import Settings
from training.aliases import CHALLENGER, CHAMPION, pointer_path
from training.moving import moving
from training.promotion import ROLLED_BACK
from training.registry import registry_client
from training.registry_trouble import in_registry


def held_aliases(settings: Settings) -> Mapping[str, str]:
    """Return alias → version, as the registry has it; one that does not answer is an error, and never no alias."""
    model = registry_client(settings).get_registered_model(settings.registry.model_name)
    return {alias: str(version) for alias, version in model.aliases.items()}


def withdraw(settings: Settings, alias: str, version: str) -> None:
    """Take an alias away from a version, in the registry and for the replicas.

    Another version that has the alias meanwhile keeps it. Said again, it changes nothing.
    """
    with in_registry(settings), moving(settings) as keep:
        held = held_aliases(settings).get(alias)
        if held not in (None, version):
            return
        if held is not None:
            keep()
            registry_client(settings).delete_registered_model_alias(settings.registry.model_name, alias)
        # Gone already, it may still have its pointer: whoever took it away was killed in between.
        pointer_path(settings.work, alias).unlink(missing_ok=True)


def mark_bad(settings: Settings, version: str, why: str, aliases: Sequence[str] = (CHAMPION, CHALLENGER)) -> None:
    """Tag a version as one that was stepped back from: the gate lets it pass for none of the aliases but by force."""
    client = registry_client(settings)
    for alias in aliases:
        client.set_model_version_tag(settings.registry.model_name, version, f"{ROLLED_BACK}{alias}", why)
