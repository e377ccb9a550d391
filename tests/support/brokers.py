"""The brokers that contract tests run against: real ones, each test with a stream of its own."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from configs import Settings, load_settings

SERVERS = {"redis streams": "redis_url", "kafka": "kafka_server", "rabbitmq": "rabbitmq_server"}
"""The fixture that brings each broker."""

SMALL: dict[str, Any] = {"partitions": 3, "reclaim_idle_ms": 400, "max_stream_length": 1_000}
"""Settings that let a test see every partition and not wait long."""


def broker_settings(request: pytest.FixtureRequest, name: str, **events: Any) -> Settings:
    """Return settings of a broker of that name, with a stream that nobody used before."""
    server = request.getfixturevalue(SERVERS[name])
    url = server if isinstance(server, str) else server.url
    own = {"broker_url": url, "stream": f"test:{uuid.uuid4().hex[:8]}"}
    return load_settings(events=SMALL | own | events)
