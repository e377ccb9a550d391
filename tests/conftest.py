"""Fixtures of every test: real parts, a built tiny shop, the live stack."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.support.redis",
    "tests.support.kafka",
    "tests.support.rabbitmq",
    "tests.support.postgres",
    "tests.support.shop",
    "tests.support.live",
    "tests.support.gate",
    "tests.support.flows",
    "tests.support.browser",
]

# Whoever runs the tests in the background ignores Ctrl-C, and every process started here would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logs_are_nobodys() -> Iterator[None]:
    """Undo what a command that runs in this process has set up: it wrote to a stream of the test's, now closed."""
    yield
    structlog.reset_defaults()
