"""Which ids are one person.

`identify` links an anonymous id with a user, `alias` an earlier id with a user. A link is a fact between two ids, kept
with both; nothing is ever copied from one id's record to another's. Who is one person is found when it is asked for,
by following links, so it depends on the set of links alone: not on their order, their repetition, or on which came
before which orders. The root, a name for the person, is the least of its user ids.

Links are bounded: each id keeps its newest `MOST_LINKS`, a person has at most `MOST_IDS` ids. An anonymous id on which
more than `MOST_USERS` users identified themselves is a shared device (a kiosk, a till) and joins nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from events.contract import Event
from events.shopper.orders import CompletedOrder

MOST_LINKS = 16
MOST_IDS = 16
MOST_USERS = 3

USER, ANONYMOUS, PREVIOUS = "u", "a", "p"
"""What an id is to the one it is linked with."""


@dataclass(frozen=True, slots=True)
class Link:
    """One id's side of a link.

    Attributes:
        owner: the id that keeps it. other: the id at its other end, after one letter that says what that is.
        at: unix seconds of the newest event that told it.
    """

    owner: str
    other: str
    at: float


@dataclass(frozen=True, slots=True)
class Person:
    """One person.

    Attributes:
        root: the least user id; of a person without one the least id.
        ids: all ids, ascending. orders: recent ones under any of them, oldest first.
        unit: the name under which the person takes part in experiments, None until the first exposure is remembered.
            If several ids have one, the root's counts, else the least id's.
    """

    root: str
    ids: tuple[str, ...]
    orders: tuple[CompletedOrder, ...] = ()
    unit: str | None = None


def links_of(events: Iterable[Event]) -> list[Link]:
    """Return both sides of the links that events tell of."""
    found = []
    for event in events:
        user = event.shopper_id
        if user is None:
            continue
        if event.kind == "alias" and event.previous_id is not None:
            other, what = event.previous_id, PREVIOUS
        elif event.kind == "identify" and event.anonymous_id is not None:
            other, what = event.anonymous_id, ANONYMOUS
        else:
            continue
        if other != user:
            found += [Link(other, USER + user, event.occurred_at), Link(user, what + other, event.occurred_at)]
    return found


def newest_links(told: Iterable[tuple[str, float]]) -> list[str]:
    """Return the links that an id keeps, the newest first, of (other, at) pairs in any order."""
    ordered = sorted(told, key=lambda link: (link[1], link[0].encode("utf-8", "surrogatepass")), reverse=True)
    return [other for other, _ in ordered[:MOST_LINKS]]


def is_shared(links: Iterable[str]) -> bool:
    """Return whether an id with these links is a device that several people use."""
    what = [other[0] for other in links]
    return what.count(USER) == len(what) > MOST_USERS


def reached(start: str, links_of_id: Callable[[str], Sequence[str]]) -> dict[str, list[str]]:
    """Return the ids of the person with an id, each with its links; the id itself always.

    The same walk as the script in `events.shopper.store`, for whoever keeps links elsewhere than in Redis.

    Args:
        start: the id. links_of_id: returns the links that an id keeps, the newest first.
    """
    waiting, found = [start], dict[str, list[str]]()
    for place in range(MOST_IDS):
        if place == len(waiting):
            break
        links = list(links_of_id(waiting[place]))
        shared = is_shared(links)
        if place == 0 or not shared:
            found[waiting[place]] = links
        if not shared:
            waiting += [other for other in dict.fromkeys(link[1:] for link in links) if other not in waiting]
    return found


def users_of(links: dict[str, list[str]]) -> set[str]:
    """Return which of the ids that are the keys of `links` (id → its links) are users'."""
    users = {other[1:] for others in links.values() for other in others if other[0] == USER}
    users |= {owner for owner, others in links.items() if any(other[0] != USER for other in others)}
    return users & set(links)


def root_of(links: dict[str, list[str]]) -> str:
    """Return the name of the person whose ids are the keys of `links` (id → its links), at least one."""
    return min(users_of(links) or links)
