"""The status tells what is there, what is out of date and what is missing, with the command that mends it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from rich.console import Console

from configs import Settings, load_settings
from configs.home import write_json
from events.consumer import HEARTBEAT
from events.contract import Line
from events.embedded import EmbeddedRedis
from events.record.beat import RECORDER_BEAT
from monitoring import collect_status
from monitoring.built import data_area, features_area, hit_rates, model_area
from monitoring.recorder import recorder_area
from monitoring.running import consumer_area, redis_area, service_area
from monitoring.status_view import status_screen
from tests.events.record.support import Record, exposed, order, seen
from tests.support.ports import free_port
from tests.support.streaming import publish

DATA: dict[str, Any] = {
    "dataset": "shop",
    "title": "A shop",
    "clock": "live",
    "first_order_at": "2024-01-01T10:00:00+00:00",
    "last_order_at": "2024-03-31T12:00:00+00:00",
    "counts": {"orders": 1200},
    "rejected": {"orders": {"no shopper": 2, "no date": 1}},
    "fingerprint": "f" * 64,
}
MARCH_30 = 1_711_800_000  # 2024-03-30T12:00:00Z


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings of an empty work folder, at whose ports nothing listens."""
    return load_settings(home=tmp_path, redis={"port": free_port()}, serving={"port": free_port()})


@pytest.fixture
def client(settings: Settings) -> Iterator[redis.Redis]:
    """A client of a running Redis at the settings' port."""
    with EmbeddedRedis(settings.redis.port, settings.work.redis), redis.Redis(port=settings.redis.port) as client:
        yield client


def has_data(settings: Settings, **changes: Any) -> None:
    write_json(settings.work.data / "ingest.json", DATA | changes)


def has_features(settings: Settings, data: str) -> None:
    record = {"data": data, "as_of": MARCH_30, "rows": {"shoppers": 7}, "fingerprint": "g"}
    write_json(settings.work.features / "features.json", record)


def beats(client: redis.Redis, seconds_ago: float) -> None:
    beat = {"name": "host-7", "pid": 7, "applied": 40, "last_event_at": MARCH_30, "at": time.time() - seconds_ago}
    client.hset(HEARTBEAT, "host-7", json.dumps(beat))


def test_a_registry_that_cannot_be_read_is_told_and_fails_nothing(settings: Settings) -> None:
    settings.work.registry.mkdir(parents=True)
    (settings.work.registry / "mlflow.db").write_bytes(b"no database" * 1000)
    area = model_area(settings)
    assert area.state == "failing"
    assert "is damaged: restore" in area.facts["trouble"]


def test_data_are_told_with_their_window_and_what_was_rejected(settings: Settings) -> None:
    has_data(settings)
    area = data_area(settings)
    assert area.state == "ok"
    assert area.facts["last_order_at"] == "2024-03-31T12:00:00+00:00"
    assert area.facts["rejected"] == {"orders": 3}


def test_features_tell_how_far_they_are_behind_the_newest_order(settings: Settings) -> None:
    has_data(settings)
    has_features(settings, DATA["fingerprint"])
    area = features_area(settings)
    assert area.state == "ok"
    assert area.facts["days_behind_newest_order"] == 1.0


def test_features_of_other_data_are_stale(settings: Settings) -> None:
    has_data(settings, fingerprint="e" * 64)
    has_features(settings, DATA["fingerprint"])
    area = features_area(settings)
    assert (area.state, area.fix) == ("stale", "tillwise features")


def test_what_was_never_built_names_the_command_that_builds_it(settings: Settings) -> None:
    for area in (data_area(settings), features_area(settings), model_area(settings)):
        assert (area.state, area.fix) == ("not built", "tillwise run")


def test_what_does_not_run_names_the_command_that_starts_it(settings: Settings) -> None:
    for area in (redis_area(settings), consumer_area(settings), service_area(settings)):
        assert (area.state, area.fix) == ("not running", "tillwise up")


def test_hit_rates_are_those_of_one_hidden_product() -> None:
    metrics = {"loo.model.hit_rate": 0.21004, "loo.model.ndcg": 0.1, "hide30.model.hit_rate": 0.5}
    assert hit_rates(metrics) == {"model": 0.21}


@pytest.mark.usefixtures("client")
def test_a_redis_without_the_newest_features_is_stale(settings: Settings) -> None:
    has_features(settings, DATA["fingerprint"])
    area = redis_area(settings)
    assert (area.state, area.fix) == ("stale", "tillwise materialize")


@pytest.mark.usefixtures("client")
def test_a_consumer_that_never_beat_does_not_run(settings: Settings) -> None:
    assert consumer_area(settings).state == "not running"


def test_a_beating_consumer_is_told_with_what_waits_for_it(settings: Settings, client: redis.Redis) -> None:
    beats(client, seconds_ago=0.5)
    area = consumer_area(settings)
    assert area.state == "ok"
    assert area.facts["events_waiting"] == 0
    assert area.facts["newest_event_at"] == "2024-03-30T12:00:00+00:00"


def test_a_consumer_whose_heart_stopped_is_failing(settings: Settings, client: redis.Redis) -> None:
    beats(client, seconds_ago=30)
    area = consumer_area(settings)
    assert area.state == "failing"
    assert area.fix is not None
    assert "consumer.log" in area.fix


def recorder_beats(settings: Settings, seconds_ago: float) -> None:
    beat = {"name": "host-8", "pid": 8, "stored": 41, "at": time.time() - seconds_ago}
    write_json(settings.work.run / RECORDER_BEAT, beat)


def test_a_recorder_that_never_beat_does_not_run(settings: Settings) -> None:
    area = recorder_area(settings)
    assert (area.state, area.fix, area.facts["orders"]) == ("not running", "tillwise up", 0)
    assert not settings.work.record.exists()


@pytest.mark.usefixtures("client")
def test_a_beating_recorder_is_told_with_what_it_wrote_and_what_waits(settings: Settings) -> None:
    record = Record(settings.home)
    record.store(order("o1", message="1"), order("o2", message="2"), seen("Product Added", Line("p"), message="3"))
    record.flush()
    record.store(order("o3", message="4"), exposed())
    record.engine.dispose()
    recorder_beats(settings, seconds_ago=0.5)
    publish(settings, [order("o5", message="5"), order("o6", message="6")])
    area = recorder_area(settings)
    assert area.state == "ok"
    assert {name: area.facts[name] for name in ("orders", "outcomes", "exposures", "events_not_yet_in_a_file")} == {
        "orders": 3,
        "outcomes": 1,
        "exposures": 1,
        "events_not_yet_in_a_file": 2,
    }
    assert (area.facts["events_stored"], area.facts["events_waiting"]) == (41, 2)


@pytest.mark.usefixtures("client")
def test_a_recorder_whose_heart_stopped_is_failing(settings: Settings) -> None:
    recorder_beats(settings, seconds_ago=30)
    area = recorder_area(settings)
    assert area.state == "failing"
    assert area.fix is not None
    assert "recorder.log" in area.fix


def test_a_recorder_s_broker_that_is_away_is_told(settings: Settings) -> None:
    recorder_beats(settings, seconds_ago=0.5)
    area = recorder_area(settings)
    assert (area.state, area.fix) == ("not running", "tillwise up")
    assert "error" in area.facts


@pytest.mark.parametrize("url", ["postgresql+psycopg://me:secret@127.0.0.1:1/shop", "mysql://me:secret@host/shop"])
def test_a_database_that_cannot_be_reached_is_failing_and_its_password_is_not_shown(tmp_path: Path, url: str) -> None:
    area = recorder_area(load_settings(home=tmp_path, record={"database_url": url}))
    assert area.state == "failing"
    assert "secret" not in str(area)


def test_the_screen_shows_every_area_and_what_to_do(settings: Settings) -> None:
    has_data(settings)
    status = collect_status(settings)
    out = io.StringIO()
    Console(file=out, width=120).print(status_screen(status))
    shown = out.getvalue()
    for area in status.areas:
        assert area.name in shown
    assert "orders 1,200" in shown
    assert "tillwise up" in shown
    areas = {"data", "features", "model", "redis", "consumer", "recorder", "service", "monitor"}
    assert set(status.as_dict()) == {"at"} | areas
