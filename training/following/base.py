"""What a follower asks of a registry, whatever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Held:
    """What an alias means in the registry.

    Attributes:
        version: in the registry. package: version of the package. source: URI of the package's folder.
    """

    version: str
    package: str
    source: str


class RegistryError(Exception):
    """The registry does not answer, or not as a registry does."""


class AliasSource(ABC):
    """Tells what aliases mean."""

    @abstractmethod
    def held(self, alias: str) -> Held | None:
        """Return the version that has an alias; None if none has.

        Raises:
            RegistryError: it cannot be asked.
        """

    def stamp(self) -> Any:
        """Return something that differs once anything may have changed; None if only asking tells."""
        return None
