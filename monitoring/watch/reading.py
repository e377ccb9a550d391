"""What the live model answered and what came of it, out of the system of record, page by page in order of time.

Left out are answers that tell nothing of the model: those of another version, of a release's candidate, of another way
to rank that somebody asked for, and those for which the shopper's state could not be read.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import CTE, ColumnElement, and_, func, inspect, not_, or_, select

from configs import Settings
from events.record.reading import opened
from events.record.tables import exposure_lines, exposures, orders, outcomes
from monitoring.experiments.reading import Chosen, read_reached

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

PAGE = 20_000
"""Answers that are held at a time."""
COLUMNS = ("request_id", "at", "unit", "ranking_arm", "latency_ms")


@dataclass(frozen=True, order=True)
class Place:
    """A place in the order of answers: unix seconds, and the request's id among those of one moment."""

    at: float
    request_id: str = ""


@dataclass(frozen=True)
class Served:
    """Which answers are asked for: of one package, after a place, up to a moment (included)."""

    package: str
    after: Place
    until: float


@dataclass(frozen=True)
class Answers:
    """Answers in order; arrays have an entry each.

    Attributes:
        request_ids, units: ids, and whose they are. at: unix seconds. latency_ms: what each took.
        failed: whether the model failed and a lesser way to rank answered.
        affinity: mean score of the products shown; NaN where the model did not rank. products: ids shown.
        clicked, attached: whether a product of it was clicked; was added or ordered; all false unless asked for.
    """

    request_ids: list[str]
    units: list[str]
    at: Floats
    latency_ms: Floats
    failed: Flags
    affinity: Floats = field(default_factory=lambda: np.empty(0))
    products: list[list[str]] = field(default_factory=list)
    clicked: Flags = field(default_factory=lambda: np.empty(0, bool))
    attached: Flags = field(default_factory=lambda: np.empty(0, bool))

    def __len__(self) -> int:
        return len(self.request_ids)

    def place(self, number: int) -> Place:
        """Return the place of an answer."""
        return Place(float(self.at[number]), self.request_ids[number])

    def part(self, start: int, end: int) -> Answers:
        """Return the answers from `start` up to `end`, not included."""
        return Answers(**{name: value[start:end] for name, value in vars(self).items()})

    def joined(self, other: Answers) -> Answers:
        """Return these answers and the other ones after them."""
        joined: dict[str, Any] = {}
        for name, mine in vars(self).items():
            theirs = getattr(other, name)
            joined[name] = mine + theirs if isinstance(mine, list) else np.concatenate([mine, theirs])
        return Answers(**joined)


def newest(settings: Settings) -> float | None:
    """Return when the newest recorded answer was made, unix seconds by the service's clock; None without any.

    Raises:
        ConfigError, DataError: the record cannot be read.
    """
    with opened(settings) as connection:
        if connection is None or not inspect(connection).has_table(exposures.name):
            return None
        at = connection.execute(select(func.max(exposures.c.at))).scalar()
        return None if at is None else float(at)


def told_since(settings: Settings, since: float) -> int:
    """Return how many clicks, adds, impressions and orders are recorded since then, of anything anybody was shown.

    Raises:
        ConfigError, DataError: as `newest`.
    """
    with opened(settings) as connection:
        if connection is None:
            return 0
        counts = (
            select(func.count()).select_from(outcomes).where(outcomes.c.at >= since),
            select(func.count()).select_from(orders).where(orders.c.placed_at >= since),
        )
        return sum(int(connection.execute(count).scalar_one()) for count in counts)


def pages(settings: Settings, served: Served, *, reached: bool, size: int = PAGE) -> Iterator[Answers]:
    """Yield the answers that are asked for, in pages of at most `size`.

    Args:
        settings: which record, and which way to rank is judged. served: which answers.
        reached: whether clicks and adds of them are told; they count within the setting `maturity_minutes`.

    Raises:
        ConfigError, DataError: as `newest`.
    """
    after = served.after
    while True:
        found = _page(settings, Served(served.package, after, served.until), size)
        if len(found):
            after = found.place(len(found) - 1)
            yield _with_reached(settings, served.package, found) if reached else found
        if len(found) < size:
            return


def count_answers(settings: Settings, served: Served) -> int:
    """Return how many answers there are that are asked for.

    Raises:
        ConfigError, DataError: as `newest`.
    """
    with opened(settings) as connection:
        if connection is None or not inspect(connection).has_table(exposures.name):
            return 0
        wanted = (*_counting(settings, served.package), _later(served.after), exposures.c.at <= served.until)
        return int(connection.execute(select(func.count()).select_from(exposures).where(*wanted)).scalar_one())


def newest_answers(settings: Settings, package: str, until: float, people: int, *, size: int = PAGE) -> Answers | None:
    """Return the newest answers of a package up to a moment, back to where they are of so many people; None of none.

    Raises:
        ConfigError, DataError: as `newest`.
    """
    with opened(settings) as connection:
        if connection is None or not inspect(connection).has_table(exposures.name):
            return None
        mine = and_(*_counting(settings, package), exposures.c.at <= until)
        latest = select(func.max(exposures.c.at).label("at")).where(mine).group_by(exposures.c.unit)
        seen = [
            float(at)
            for at in connection.execute(latest.order_by(func.max(exposures.c.at).desc()).limit(people)).scalars()
        ]
    if not seen:
        return None
    after = Place(seen[-1], "")  # from the moment at which the last of them was last here
    found = None
    for page in pages(settings, Served(package, after, until), reached=True, size=size):
        found = page if found is None else found.joined(page)
    return found


def first_answers(settings: Settings, served: Served, people: int, *, size: int = PAGE) -> Answers | None:
    """Return the first of the answers asked for, in whole blocks, until they are of so many people; None if too few.

    Raises:
        ConfigError, DataError: as `newest`.
    """
    block, found = settings.monitoring.watch.block, None
    for page in pages(settings, served, reached=True, size=size):
        found = page if found is None else found.joined(page)
        _, first = np.unique(found.units, return_index=True)
        if first.size >= people:
            needed = int(np.sort(first)[people - 1]) // block * block + block
            if len(found) >= needed:
                return found.part(0, needed)
    return None


def _page(settings: Settings, served: Served, size: int) -> Answers:
    """Return the first answers that are asked for, without what came of them."""
    with opened(settings) as connection:
        rows: list[Any] = []
        if connection is not None and inspect(connection).has_table(exposures.name):
            chosen = _chosen(settings, served, size)
            rows = list(connection.execute(select(*chosen.c).order_by(chosen.c.at, chosen.c.request_id)))
            lines = select(exposure_lines.c.request_id, exposure_lines.c.product_id, exposure_lines.c.score)
            joined = lines.join(chosen, chosen.c.request_id == exposure_lines.c.request_id)
            shown: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
            for request_id, product_id, score in connection.execute(joined):
                shown[request_id].append((product_id, score))
    failed = np.array([row.ranking_arm != settings.monitoring.watch.ranking_arm for row in rows], dtype=bool)
    scores = [np.mean([score for _, score in shown[row.request_id]] or [np.nan]) for row in rows]
    return Answers(
        request_ids=[row.request_id for row in rows],
        units=[row.unit for row in rows],
        at=np.array([row.at for row in rows], dtype=np.float64),
        latency_ms=np.array([row.latency_ms for row in rows], dtype=np.float64),
        failed=failed,
        affinity=np.where(failed, np.nan, np.array(scores, dtype=np.float64)),
        products=[[product for product, _ in shown[row.request_id]] for row in rows],
        clicked=np.zeros(len(rows), dtype=bool),
        attached=np.zeros(len(rows), dtype=bool),
    )


def _with_reached(settings: Settings, package: str, found: Answers) -> Answers:
    window = settings.monitoring.watch.maturity_minutes * 60
    chosen = Chosen(None, since=float(found.at[0]), until=float(found.at[-1]), model_version=package)
    touched, ordered = read_reached(settings, chosen, window)
    clicked = {row[0] for row in touched if row[2]}
    attached = {row[0] for row in touched if row[3]} | {row[0] for row in ordered if row[2] > 0}
    return replace(
        found,
        clicked=np.array([name in clicked for name in found.request_ids], dtype=bool),
        attached=np.array([name in attached for name in found.request_ids], dtype=bool),
    )


def _chosen(settings: Settings, served: Served, size: int) -> CTE:
    columns = (exposures.c[name] for name in COLUMNS)
    wanted = (*_counting(settings, served.package), _later(served.after), exposures.c.at <= served.until)
    return select(*columns).where(*wanted).order_by(exposures.c.at, exposures.c.request_id).limit(size).cte("page")


def _later(after: Place) -> ColumnElement[bool]:
    same = and_(exposures.c.at == after.at, exposures.c.request_id > after.request_id)
    return or_(exposures.c.at > after.at, same)


def _counting(settings: Settings, package: str) -> list[ColumnElement[bool]]:
    """Return conditions of answers that tell of a package."""
    ours = exposures.c.ranking_arm == settings.monitoring.watch.ranking_arm
    whole = and_(ours, exposures.c.fallback.is_(None))
    failed = and_(not_(ours), exposures.c.fallback.is_not(None))
    tried = and_(exposures.c.experiment.like("release-%"), exposures.c.experiment_arm == "candidate")
    return [
        exposures.c.model_version == package,
        or_(whole, failed),
        or_(exposures.c.experiment.is_(None), not_(tried)),
    ]
