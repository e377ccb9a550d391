"""Decisions about aliases, as facts that are only ever added: tags of the registered model, one a decision.

They lie in the registry, so whoever shares it shares them, and nobody needs a second store.
"""

from __future__ import annotations

import getpass
import json
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from mlflow import MlflowClient

PREFIX = "decision"

State = Literal["begun", "done", "abandoned"]


Kind = Literal["promote", "rollback", "release"]


@dataclass(frozen=True)
class Decision:
    """That somebody moved an alias, or how a release goes on.

    It is told before the alias is moved and told again after it: one whose process died in between stays `begun`, and
    `settle` finds out what became of it.

    Attributes:
        at: RFC 3339, to the microsecond, so that their order is that of their text.
        kind: whether it went on or back; or a release, which moves nothing by itself. alias: which.
        before, after: registry versions; before is None for the first. Of a release what serves, and what is released.
        who: user and machine. why: in words. evidence: figures that it rests on.
        state: whether the alias was moved; abandoned: it never was.
    """

    at: str
    kind: Kind
    alias: str
    before: str | None
    after: str
    who: str
    why: str
    evidence: Mapping[str, Any] = field(default_factory=dict)
    state: State = "done"

    @classmethod
    def now(
        cls,
        kind: Kind,
        alias: str,
        before: str | None,
        after: str,
        *,
        why: str,
        evidence: Mapping[str, Any],
    ) -> Decision:
        """Return a decision that is made at this moment by whoever runs this process."""
        at = datetime.now(UTC).isoformat(timespec="microseconds")
        return cls(at, kind, alias, before, after, who(), why, evidence)

    def following(self, history: Sequence[Decision]) -> Decision:
        """Return it at a moment after all of `history`, oldest first: their order is what counts, and the clocks of the
        machines that decide may differ."""
        if not history or self.at > history[-1].at:
            return self
        at = datetime.fromisoformat(history[-1].at) + timedelta(microseconds=1)
        return replace(self, at=at.isoformat(timespec="microseconds"))

    def __str__(self) -> str:
        return f"{self.kind} of {self.alias} at {self.at[:19]}Z by {self.who}: {self.why}"


def record(client: MlflowClient, model: str, decision: Decision) -> None:
    """Add a decision to a registered model's, or tell its new state."""
    name = f"{PREFIX}.{decision.alias}.{decision.at.replace('+00:00', 'Z')}"
    client.set_registered_model_tag(model, name, json.dumps(asdict(decision)))


def decisions(client: MlflowClient, model: str, alias: str) -> list[Decision]:
    """Return what was decided about an alias of a registered model, oldest first."""
    tags = client.get_registered_model(model).tags
    found = [Decision(**json.loads(text)) for name, text in tags.items() if name.startswith(f"{PREFIX}.{alias}.")]
    return sorted(found, key=lambda decision: decision.at)


def decisions_about(client: MlflowClient, model: str, version: str) -> list[Decision]:
    """Return what moved any alias of a registered model to or from a version, oldest first."""
    tags = client.get_registered_model(model).tags
    found = [Decision(**json.loads(text)) for name, text in tags.items() if name.startswith(f"{PREFIX}.")]
    touching = [decision for decision in found if version in (decision.before, decision.after)]
    return sorted(touching, key=lambda decision: decision.at)


def settle(client: MlflowClient, model: str, alias: str, held: str | None) -> list[Decision]:
    """Find out what became of decisions whose process died; return all of an alias, oldest first, none of them begun.

    The alias tells: where it stands is what was carried out.

    Args:
        client, model, alias: as of `decisions`. held: version that the alias has.
    """
    history = decisions(client, model, alias)
    for place, decision in enumerate(history):
        if decision.state == "begun":
            is_last = place == len(history) - 1
            history[place] = replace(decision, state="done" if is_last and decision.after == held else "abandoned")
            record(client, model, history[place])
    return history


def standing(history: Iterable[Decision]) -> list[str]:
    """Return the versions that one could go back to, one after the other: the last is where the alias stands.

    A version that was stepped back from is none of them, until it is promoted again.
    """
    stack: list[str] = []
    for decision in history:
        if decision.state != "done" or decision.kind == "release":
            continue
        if decision.kind == "rollback":
            while stack and stack[-1] != decision.after:
                stack.pop()
        if not stack or stack[-1] != decision.after:
            stack.append(decision.after)
    return stack


def who() -> str:
    """Return the user and the machine of this process."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
