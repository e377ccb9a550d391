"""Who serves, since when, and who did so last without being sent away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from configs import Settings
from configs.errors import NotBuiltError
from training.aliases import CHAMPION, pointer_path, read_pointer
from training.decisions import Decision, decisions, standing
from training.registry import champion, registry_client, version_of


@dataclass(frozen=True)
class Tenure:
    """A time during which a version was champion.

    Attributes:
        version: in the registry. since, until: unix seconds; until is None for the present one.
        sent_away: whether a rollback ended it.
    """

    version: str
    since: float
    until: float | None = None
    sent_away: bool = False


@dataclass(frozen=True)
class Standing:
    """The present champion.

    Attributes:
        package: version of its package. tenure: its own. first: whether it has never been champion before.
        good, good_package: the last champion that was not sent away, which may be the same version; None without one.
        back_to: the version that a rollback would go back to; None without one.
        rolled_back_at: when the alias was last moved back, unix seconds; None if never.
    """

    package: str
    tenure: Tenure
    first: bool
    good: Tenure | None
    good_package: str | None
    back_to: str | None
    rolled_back_at: float | None

    @property
    def name(self) -> str:
        """What state and files of this tenure are called by."""
        return f"v{self.tenure.version}-{int(self.tenure.since)}"


def tenures(history: Sequence[Decision]) -> list[Tenure]:
    """Return who was champion when, oldest first, as an alias's decisions tell it."""
    found: list[Tenure] = []
    for decision in history:
        at = datetime.fromisoformat(decision.at).timestamp()
        if found and found[-1].version == decision.after:
            continue
        if found:
            found[-1] = Tenure(found[-1].version, found[-1].since, at, decision.kind == "rollback")
        found.append(Tenure(decision.after, at))
    return found


def standing_champion(settings: Settings) -> Standing:
    """Return the present champion.

    Raises:
        NotBuiltError: no version is.
    """
    held = champion(settings)
    if held is None:
        raise NotBuiltError(
            "No model is champion, or the registry does not answer: nothing is watched, and nothing done."
        )
    client, name = registry_client(settings), settings.registry.model_name
    history = decisions(client, name, CHAMPION)
    past = tenures(history)
    present = str(held.version)
    if not past or past[-1].version != present:  # somebody moved the alias by other means than ours
        past.append(Tenure(present, _noticed(settings, held.creation_timestamp / 1e3)))
    *earlier, now = past
    good = next((tenure for tenure in reversed(earlier) if not tenure.sent_away), None)
    left = [version for version in standing(history) if version != present]
    moved = [datetime.fromisoformat(made.at).timestamp() for made in history if made.kind == "rollback"]
    return Standing(
        held.tags["package"],
        now,
        all(tenure.version != present for tenure in earlier),
        good,
        None if good is None else version_of(client, settings, good.version).tags["package"],
        left[-1] if left else None,
        max(moved, default=None),
    )


def _noticed(settings: Settings, otherwise: float) -> float:
    pointer = read_pointer(pointer_path(settings.work, CHAMPION))
    return otherwise if pointer is None else datetime.fromisoformat(pointer.since).timestamp()
