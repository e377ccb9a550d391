"""Inputs out of a real event log: drift asks for a retrain, and for nothing else; what is told of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from configs.home import read_json
from configs.watching import DriftSettings
from events.contract import Event
from events.exposure import Shown
from features.definitions import COLUMNS
from features.exposed import COLUMNS_DIGEST, pack
from monitoring.watch.drift import compare_inputs
from monitoring.watch.inputs import NAMES, Inputs, keep_inputs, kept_inputs, read_inputs
from monitoring.watch.reading import Place
from tests.events.record.support import Record, exposed
from tests.support.postgres import on_each_database
from training.wanted import Wanted, clear_wanted, retrain_wanted, want_retrain

LIMITS = DriftSettings(
    people=300, large=1_000, distance=0.1, alpha=0.05, share=0.3, times=2, quality=0.05, again_hours=24, shown=2, keep=5
)
PRICE = NAMES.index("price")
START = time.time() - 3_600


def features(generator: np.random.Generator, shift: float = 0.0) -> np.ndarray:
    return generator.normal(shift, 1.0, (2, len(COLUMNS))).astype(np.float32)


def logged(record: Record, package: str, people: range, *, shift: float = 0.0, flush: bool = True) -> np.ndarray:
    """Record one exposure a person; return the features of the products shown first."""
    generator = np.random.default_rng(people.start)
    events, told = [], []
    for person in people:
        values = features(generator, shift)
        told.append(values[0])
        events.append(exposure_of(package, person, values))
    record.store(*events)
    if flush:
        record.flush()
    return np.array(told)


def exposure_of(package: str, person: int, values: np.ndarray) -> Event:
    event = exposed(f"r{person:06d}", Shown("p1", 0.5), Shown("p2", 0.25), at=START + person, unit=f"u{person}")
    assert event.exposure is not None
    changes = {"experiment": None, "experiment_arm": None, "ranking_arm": "model", "model_version": package}
    body = replace(event.exposure, **changes, columns=COLUMNS_DIGEST, features=pack(values))
    return replace(event, exposure=body)


@pytest.fixture
def record(tmp_path: Path, record_url: str | None) -> Iterator[Record]:
    record = Record(tmp_path, record_url)
    yield record
    record.engine.dispose()


@on_each_database
def test_inputs_are_those_of_the_product_shown_first_of_the_first_or_the_newest_people(record: Record) -> None:
    told = logged(record, "a", range(50))
    logged(record, "b", range(50, 80))
    more = logged(record, "a", range(80, 100), flush=False)  # still in the database
    first = read_inputs(record.settings, "a", 40, after=Place(0.0), until=START + 1e6, newest=False)
    newest = read_inputs(record.settings, "a", 30, after=Place(0.0), until=START + 1e6, newest=True)
    assert first is not None
    assert newest is not None
    assert np.array_equal(first.values[:, : len(COLUMNS)], told[:40])
    assert first.values[:, -1] == pytest.approx(0.375)
    assert np.array_equal(newest.values[:, : len(COLUMNS)], np.concatenate([more, told[40:50]])[_backwards(20, 10)])
    assert (first.first_at, newest.last.at) == (pytest.approx(START), pytest.approx(START + 99))
    assert read_inputs(record.settings, "a", 71, after=Place(0.0), until=START + 1e6, newest=True) is None
    assert read_inputs(record.settings, "a", 20, after=first.last, until=START + 90, newest=True) is not None


def _backwards(*lengths: int) -> list[int]:
    """Return row numbers that turn each of several parts around."""
    starts = np.cumsum((0, *lengths[:-1]))
    return [
        row for start, length in zip(starts, lengths, strict=True) for row in reversed(range(start, start + length))
    ]


def test_inputs_are_kept_as_they_are(record: Record, tmp_path: Path) -> None:
    logged(record, "a", range(10))
    inputs = read_inputs(record.settings, "a", 10, after=Place(0.0), until=START + 1e6, newest=False)
    assert inputs is not None
    keep_inputs(tmp_path / "kept.parquet", inputs)
    found = kept_inputs(tmp_path / "kept.parquet")
    assert found is not None
    assert np.array_equal(found.values, inputs.values, equal_nan=True)
    assert (found.first_at, found.last) == (inputs.first_at, inputs.last)


def sample(seed: int, count: int, **columns: np.ndarray) -> Inputs:
    values = np.random.default_rng(seed).normal(2.0, 1.0, (count, len(NAMES)))
    for name, column in columns.items():
        values[:, NAMES.index(name)] = column
    return Inputs(values, 0.0, Place(1.0))


@pytest.mark.parametrize("count", [300, 1_200])
def test_drift_is_told_where_enough_columns_moved_and_not_where_none_did(count: int, tmp_path: Path) -> None:
    reference = sample(1, count)
    same = compare_inputs(sample(2, count), reference, LIMITS, tmp_path / "same.html")
    assert not same.drifted
    assert same.share < 0.1
    assert same.quality == []
    moved = sample(3, count)
    moved.values[:, ::2] += 1.0
    found = compare_inputs(moved, reference, LIMITS, tmp_path / "moved.html")
    assert found.drifted
    assert {name for name, column in found.columns.items() if column.drifted} >= set(NAMES[::2])
    assert {column.test for column in found.columns.values()} == {"ks" if count < LIMITS.large else "wasserstein"}
    assert "<html" in (tmp_path / "moved.html").read_text()[:2_000].lower()


def test_missing_and_impossible_values_are_told_by_name(tmp_path: Path) -> None:
    count = 200
    before = sample(1, count)
    price = np.abs(before.values[:, PRICE]) * 100
    live = sample(2, count, price=price)
    live.values[:40, 0] = np.nan
    live.values[:, 1] = np.nan
    found = compare_inputs(live, before, LIMITS, tmp_path / "report.html")
    assert any("price is outside the range" in sentence for sentence in found.quality)
    assert any(f"{NAMES[0]} is missing in 20% of answers, 0% before" in sentence for sentence in found.quality)
    assert found.columns[NAMES[1]].value is None  # nothing of it to compare
    assert not found.drifted  # a column in some forty


def test_a_wish_for_a_retrain_stays_until_it_is_cleared(record: Record) -> None:
    work = record.settings.work
    assert retrain_wanted(work) is None
    wanted = want_retrain(work, "inputs drifted", "a test")
    assert want_retrain(work, "again", "a test") == wanted
    assert read_json(work.run / "retrain_wanted.json") == {"at": wanted.at, "why": "inputs drifted", "by": "a test"}
    clear_wanted(work, Wanted("earlier", wanted.why, wanted.by))
    assert retrain_wanted(work) == wanted
    clear_wanted(work, wanted)
    clear_wanted(work, wanted)
    assert retrain_wanted(work) is None
