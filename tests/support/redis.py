"""A real Redis for tests: one server a test run, emptied before each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from events.embedded import EmbeddedRedis
from tests.support.ports import free_port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """The running server."""
    with EmbeddedRedis(free_port(), tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def redis_url(redis_server: EmbeddedRedis) -> str:
    """URL of the server, its data gone."""
    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url
