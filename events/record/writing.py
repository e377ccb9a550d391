"""Writing events to the record, but for people who asked to be forgotten.

The list of those lies in the same database. Whoever writes reads it in the transaction that writes; whoever adds to it
waits until no writer is under way. So nothing can be written, be it delivered ever so late, of somebody who was erased.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select, text
from sqlalchemy.dialects import postgresql, sqlite

from events.contract import Event, ids_of, returned_order, told_at
from events.record.database import KEYS_AT_A_TIME, store
from events.record.rows import families_of
from events.record.tables import links, suppressed
from events.shopper.identity import Link, links_of
from events.suppression import digest, is_listed, order_digest

_WRITERS = 7_465_102
"""Any number: writers of PostgreSQL share this lock. SQLite has one writer at a time anyway."""


def record_events(connection: Connection, events: Sequence[Event], stored_at: float) -> None:
    """Write events to every table they concern, without those of people who were erased after they happened.

    Args:
        connection: in a transaction that is to be committed as it is.
        events: in any order, repeated or not.
        stored_at: unix seconds.

    Raises:
        ValueError: as `families_of`.
    """
    kept = without_suppressed(connection, events)
    store(connection, families_of(kept, stored_at))
    _store_links(connection, links_of(kept))


def without_suppressed(connection: Connection, events: Sequence[Event]) -> list[Event]:
    """Return the events that may be kept; nobody is added to the list before the transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock_shared(:number)"), {"number": _WRITERS})
    if connection.execute(select(suppressed.c.digest).limit(1)).first() is None:
        return list(events)
    named = [_digests(event) for event in events]
    digests = sorted(set().union(*named))
    until: dict[str, float] = {}
    for start in range(0, len(digests), KEYS_AT_A_TIME):
        chosen = select(suppressed).where(suppressed.c.digest.in_(digests[start : start + KEYS_AT_A_TIME]))
        until |= {row.digest: row.at for row in connection.execute(chosen)}
    told = zip(events, named, strict=True)
    return [event for event, names in told if not is_listed(names, told_at(event), until)]


def _digests(event: Event) -> set[str]:
    """Return the digests under which whom or what an event is about may be on the list."""
    order = returned_order(event)
    about = set() if order is None else {order_digest(order)}
    return about | {digest(an_id) for an_id in ids_of(event) if an_id is not None}


def suppress(connection: Connection, until: Mapping[str, float]) -> None:
    """Add to the list; returns once no writer is under way that may not have seen it.

    Args:
        connection: in a transaction.
        until: digest of an id, or of an order, → unix seconds up to which it is to be forgotten; the later wish holds.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _WRITERS})
    rows = [{"digest": name, "at": at} for name, at in sorted(until.items())]
    _keep_latest(connection, suppressed, rows)


def _store_links(connection: Connection, told: Iterable[Link]) -> None:
    newest: dict[tuple[str, str], float] = {}
    for link in told:
        newest[link.owner, link.other] = max(link.at, newest.get((link.owner, link.other), link.at))
    rows = [{"owner": owner, "other": other, "at": at} for (owner, other), at in sorted(newest.items())]
    _keep_latest(connection, links, rows)


def _keep_latest(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows; of two with one key the one with the later `at` stays."""
    if not rows:
        return
    statement = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key.columns]
    upsert = statement.on_conflict_do_update(
        index_elements=keys, set_={"at": statement.excluded.at}, where=statement.excluded.at > table.c.at
    )
    connection.execute(upsert, rows)
