"""A shop with a registry whose record is filled with people of a known taste."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from sqlalchemy import Table, insert

from benchmarks.crowning import crown
from benchmarks.detecting import Taste
from configs import Settings, SilentProgress, StageReport, load_settings
from events.record import tables
from events.record.database import migrate, open_database
from monitoring.watch import monitor
from tests.monitoring.experiments.support import whole

WATCH: dict[str, Any] = {
    "reference_people": 800,
    "first_people": 400,
    "least_people": 100,
    "maturity_minutes": 0.5,
    "settle_seconds": 0.0,
    "least_seconds": 0.0,
    "replicas_seconds": 0.1,
}

TABLES = (tables.exposures, tables.exposure_lines, tables.outcomes, tables.outcome_lines)
EMPTY = {table: whole(table, {}) for table in TABLES}


@dataclass
class World:
    """A record, a registry, and time that goes on with answers, from some hours ago.

    Attributes:
        home: work folder with both. package: registry version → version of the package. watch: settings.
        people: how many there are; they like to add differently much, the same ones in every world of a seed.
        url: of an empty database for the record; None: that of the work folder, which has its tables.
    """

    home: Path
    package: dict[str, str]
    watch: dict[str, Any] = field(default_factory=dict)
    people: int = 2_000
    seed: int = 3
    url: str | None = None

    def __post_init__(self) -> None:
        told: dict[str, Any] = {"monitoring": {"watch": WATCH | self.watch}, "serving": {"port": 1}}
        self.settings: Settings = load_settings(home=self.home, record={"database_url": self.url}, **told)
        self.engine = open_database(self.settings, write=True)
        if self.url is not None:
            migrate(self.engine)
        self.generator = np.random.default_rng(self.seed)
        self.liking = self.generator.beta(8 * 0.3, 8 * 0.7, self.people) / 0.3
        self.count = 0
        self.at = time.time() - 6 * 3600

    def crown(self, version: str, kind: Literal["promote", "rollback"] = "promote") -> None:
        """Make a version champion at the moment of the newest answer."""
        crown(self.settings, version, self.at, kind)

    def look(self, **arguments: Any) -> StageReport:
        """Look once, at figures only unless something else is asked for."""
        return monitor(self.settings, SilentProgress(), **({"drift": False} | arguments))

    def figure(self, name: str, look: StageReport) -> dict[str, Any]:
        """Return how a look found a figure."""
        found: dict[str, Any] = next(one for one in look.metrics["figures"] if one["name"] == name)
        return found

    def answers(self, version: str, count: int, taste: Taste, **changes: Any) -> None:
        """Record answers of a version, ten a second after the newest one, and what came of them 5 seconds later."""
        chance = self.generator
        at = (self.at + np.arange(1, count + 1) / 10).tolist()
        unit = chance.integers(0, self.people, count)
        added = chance.random(count) < np.minimum(1, taste.adds * self.liking[unit])
        clicked = chance.random(count) < taste.clicks
        failed = chance.random(count) < taste.fails
        latency = (taste.latency_ms * chance.lognormal(0, 0.3, count)).tolist()
        score = (taste.score + chance.normal(0, 1, count)).tolist()
        shown = [
            [f"p{product}-{place}" for place, product in enumerate(row)]
            for row in chance.integers(0, taste.products, (count, 3)).tolist()
        ]
        names = [f"r{self.count + number:07d}" for number in range(count)]
        model = {"model_version": self.package[version]} | changes
        rows: dict[Table, list[dict[str, Any]]] = {table: [] for table in TABLES}
        for number, name in enumerate(names):
            how = (
                {"ranking_arm": "popularity", "fallback": "model failed"}
                if failed[number]
                else {"ranking_arm": "model"}
            )
            answer = {"request_id": name, "at": at[number], "session_id": name, "unit": f"u{unit[number]}"}
            rows[tables.exposures].append(
                EMPTY[tables.exposures] | answer | {"latency_ms": latency[number]} | how | model
            )
            for place, product in enumerate(shown[number]):
                line = {"request_id": name, "position": place, "product_id": product, "score": score[number]}
                rows[tables.exposure_lines].append(EMPTY[tables.exposure_lines] | line)
            for kind, happened in (("add", added[number]), ("click", clicked[number])):
                if happened:
                    told = {"message_id": kind + name, "kind": kind, "at": at[number] + 5, "request_id": name}
                    line = {"message_id": kind + name, "line": 0, "product_id": shown[number][0]}
                    rows[tables.outcomes].append(EMPTY[tables.outcomes] | told)
                    rows[tables.outcome_lines].append(EMPTY[tables.outcome_lines] | line)
        self.at, self.count = at[-1], self.count + count
        with self.engine.begin() as connection:
            for table in TABLES:
                if rows[table]:
                    connection.execute(insert(table), rows[table])
