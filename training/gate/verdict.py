"""What the gate says: one check after the other, each with what was found, what is demanded, and a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Check:
    """One thing that the gate looked at.

    Attributes:
        name: of the check. passed: whether what was found meets what is demanded.
        found, demanded: short, for a table.
        says: a sentence for a person; it names what fell short, if anything did.
        figures: what it rests on, JSON-serialisable.
    """

    name: str
    passed: bool
    found: str
    demanded: str
    says: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a version.

    Attributes:
        version: in the registry. package: version of its package, "" if that cannot be read.
        champion: the registry version it was compared with; None if there is none.
        checks: in the order in which they were made; after one without which nothing else can be looked at, none.
    """

    version: str
    package: str
    champion: str | None
    checks: Sequence[Check]

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the version."""
        return not self.objections

    @property
    def objections(self) -> list[Check]:
        """The checks that it did not pass."""
        return [check for check in self.checks if not check.passed]

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON-serialisable plain data."""
        return {"passed": self.passed} | asdict(self)

    def __str__(self) -> str:
        if self.passed:
            return f"passed all {len(self.checks)} checks of the gate"
        return "; ".join(check.says for check in self.objections)
