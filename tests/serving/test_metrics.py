"""What Prometheus reads: answers, tracking calls and waiting events, in its own text format."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from uuid import uuid4

import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from configs import Settings, load_settings
from serving.metrics import LagMeter
from tests.events.builders import ADDED, event
from tests.support.brokers import broker_settings, connected
from tests.support.live import Live
from tests.support.ports import free_port

Samples = Mapping[tuple[str, ...], float]


def samples(text: str) -> Samples:
    """Return values by (name, label values) of a scrape."""
    return {(one.name, *one.labels.values()): one.value for family in families(text) for one in family.samples}


@pytest.fixture(params=["redis streams", "kafka", "rabbitmq"])
def settings(request: pytest.FixtureRequest) -> Settings:
    return broker_settings(request, request.param)


def test_events_wait_for_each_group_until_it_has_acknowledged_them(settings: Settings) -> None:
    async def inside() -> tuple[Samples, Samples]:
        meter, record = LagMeter(settings), settings.events.record_group
        async with connected(settings) as profiles, connected(settings, record):
            for number in range(7):  # one by one: the Kafka-protocol broker of the tests counts a batch as one
                await profiles.publish([event("Product Added", "p", message=f"m{number}")])
            before = samples(await meter.text())
            taken = 0
            while taken < 7:
                deliveries = await profiles.read("one", limit=7, wait_ms=200)
                await profiles.acknowledge(deliveries)
                taken += len(deliveries)
            after = samples(await meter.text())
        await meter.close()
        return before, after

    before, after = asyncio.run(inside())
    waiting, profiles, record = "tillwise_events_waiting", settings.events.group, settings.events.record_group
    assert (before[waiting, profiles], before[waiting, record]) == (7, 7)
    assert (after[waiting, profiles], after[waiting, record]) == (0, 7)
    assert after["tillwise_events_unacknowledged", profiles] == 0


def test_a_broker_that_is_away_leaves_its_figures_out() -> None:
    async def inside() -> str:
        meter = LagMeter(load_settings(redis={"url": f"redis://127.0.0.1:{free_port()}/0"}))
        text = await meter.text()
        await meter.close()
        return text

    text = asyncio.run(inside())
    assert "# TYPE tillwise_events_waiting gauge" in text
    assert samples(text) == {}


@pytest.mark.e2e
def test_a_scrape_counts_answers_and_calls(live_service: Live) -> None:
    before = samples(live_service.get("/metrics").text)
    session = uuid4().hex
    answer = live_service.post("/v1/recommendations", {"session_id": session, "k": 3}).json()
    assert live_service.post("/v1/track", ADDED | {"messageId": session}).status_code == 200
    assert live_service.post("/v1/track", ADDED | {"properties": {}}).status_code == 400
    after = samples(live_service.get("/metrics").text)
    step = answer["fallback"]["step"] if answer["fallback"] else "none"
    for key in [
        ("tillwise_recommendations_total", step),
        ("tillwise_tracking_calls_total", "accepted"),
        ("tillwise_tracking_calls_total", "refused"),
    ]:
        assert after[key] >= before.get(key, 0.0) + 1
    assert after["tillwise_events_waiting", live_service.settings.events.group] >= 0
