"""Fixtures of every test: real parts, a built tiny shop, the live stack."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import structlog

pytest_plugins = [
    "tests.support.order",
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

# Several processes test beside each other: threads of one that wait busily would take the cores from the others.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Who starts the tests in the background lets them ignore Ctrl-C, and so would every process that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def logs_are_nobodys() -> Iterator[None]:
    """Undo what a command that runs in this process has set up: it wrote to a stream of the test's, now closed."""
    yield
    structlog.reset_defaults()
