"""Fixtures of every test: real parts, a built tiny shop, the live stack."""

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
