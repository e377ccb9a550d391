"""`tillwise dead-letters` as a person and a machine meet it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from configs import Settings
from tests.pipelines.test_cli import only_sentence, tillwise
from tests.support.brokers import broker_settings, connected
from tests.support.ports import free_port

GOOD = {"event": "Product Added", "anonymousId": "a", "properties": {"product_id": "p1"}}


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """A stream in Redis with one call that can be taken now, one that cannot, and one that is no text."""
    settings = broker_settings(request, "redis streams")

    async def fill() -> None:
        async with connected(settings) as broker:
            await broker.reject(json.dumps(GOOD).encode(), "track", "event", "was not [bold]known[/bold] once")
            await broker.reject(json.dumps(GOOD | {"event": None}).encode(), "track", "event", "is missing")
            await broker.reject(b"\xff\x00", "batch", "body", "is no text")

    asyncio.run(fill())
    return settings


def variables(settings: Settings) -> dict[str, str]:
    names = ("broker_url", "stream", "partitions")
    return {f"TILLWISE_EVENTS__{name.upper()}": str(getattr(settings.events, name)) for name in names}


def test_a_person_sees_a_table_and_a_machine_one_document(settings: Settings, tmp_path: Path) -> None:
    shown = tillwise("dead-letters", "list", home=tmp_path, COLUMNS="200", **variables(settings))
    assert shown.returncode == 0, shown.stderr
    assert "was not [bold]known[/bold] once" in shown.stdout
    assert "collector /v1/batch" in shown.stdout
    printed = tillwise("dead-letters", "list", "--json", "--limit", "9", home=tmp_path, **variables(settings)).stdout
    first, second, third = json.loads(printed)
    assert json.loads(first["body"]) == GOOD
    assert (second["field"], second["reason"], second["source"]) == ("event", "is missing", "collector")
    assert third["body_base64"] == "/wA="


def test_replay_says_what_stays_and_why(settings: Settings, tmp_path: Path) -> None:
    done = tillwise("dead-letters", "replay", home=tmp_path, **variables(settings))
    assert done.returncode == 0, done.stderr
    *stay, summary = done.stdout.splitlines()
    assert summary == "1 replayed, 2 stay."
    assert "stays: event: is missing" in stay[0]
    again = tillwise("dead-letters", "replay", "--json", home=tmp_path, **variables(settings)).stdout
    report = json.loads(again)
    assert (report["replayed"], len(report["stay"])) == (0, 2)


def test_without_letters_it_says_so(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    empty = variables(broker_settings(request, "redis streams"))
    assert tillwise("dead-letters", "list", home=tmp_path, **empty).stdout == "There are no dead letters.\n"
    assert json.loads(tillwise("dead-letters", "list", "--json", home=tmp_path, **empty).stdout) == []


@pytest.mark.parametrize("scheme", ["redis", "kafka", "amqp"])
def test_a_broker_that_is_away_is_told_in_one_sentence_without_its_password(tmp_path: Path, scheme: str) -> None:
    url = f"{scheme}://someone:secret@127.0.0.1:{free_port()}"
    said = only_sentence(tillwise("dead-letters", "list", home=tmp_path, TILLWISE_EVENTS__BROKER_URL=url))
    assert "does not answer" in said or "did not" in said
    assert "secret" not in said
