"""Kafka's topics: how to reach them, making them, reading one of dead letters from its beginning to its end."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from configs.errors import PartError

ANSWER_SECONDS = 5.0
SESSION_TIMEOUT = "session.timeout.ms"
SESSION_TIMEOUT_MS = 6_000
DEFAULT_REPLICAS = -1
"""As many copies as the broker's own setting says."""

log = logging.getLogger("events.kafka")
log.addHandler(logging.NullHandler())  # a process that configures no logs shows none


def client_config(url: str) -> dict[str, Any]:
    """Return what any client needs to connect.

    Args:
        url: kafka://[user:password@]host:port[,host:port…][?librdkafka.property=value&…].
    """
    parts = urlsplit(url)
    config: dict[str, Any] = {
        "bootstrap.servers": parts.netloc.rpartition("@")[2],
        "socket.connection.setup.timeout.ms": 2_000,
        "reconnect.backoff.max.ms": 1_000,
        "logger": log,
    }
    if parts.username:
        config |= {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
        config |= {"sasl.username": unquote(parts.username), "sasl.password": unquote(parts.password or "")}
    return config | {name: value for name, value in parse_qsl(parts.query) if name != SESSION_TIMEOUT}


def session_timeout_ms(url: str) -> int:
    """Return after how long a killed consumer's partitions go to another: `session.timeout.ms` of the URL, or 6 s."""
    return int(dict(parse_qsl(urlsplit(url).query)).get(SESSION_TIMEOUT, SESSION_TIMEOUT_MS))


def make_topic(config: dict[str, Any], name: str, partitions: int, options: dict[str, str] | None = None) -> int:
    """Make a topic unless it is there; return how many partitions it has.

    Raises:
        PartError: Kafka does not answer, or does not let us.
    """
    admin = AdminClient(config)
    wanted = NewTopic(name, partitions, DEFAULT_REPLICAS, config=options or {})
    try:
        known = admin.list_topics(name, timeout=ANSWER_SECONDS).topics[name]
        if known.error is None and known.partitions:
            return len(known.partitions)
        admin.create_topics([wanted], request_timeout=ANSWER_SECONDS)[name].result(ANSWER_SECONDS)
    except KafkaException as error:
        if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
            raise PartError(f"Kafka did not make the topic {name} ({error.args[0].str()}).") from None
        return len(admin.list_topics(name, timeout=ANSWER_SECONDS).topics[name].partitions)
    return partitions


def newest_values(config: dict[str, Any], topic: str) -> dict[str, bytes]:
    """Return the newest value of each key of a topic of one partition, without those whose newest is a tombstone.

    Raises:
        PartError: Kafka does not answer.
    """
    ours = {"group.id": f"{topic}.reader", "enable.auto.commit": False, "enable.partition.eof": True}
    reader = Consumer(config | ours)
    values: dict[str, bytes] = {}
    try:
        reader.assign([TopicPartition(topic, 0, 0)])
        while True:
            message = reader.poll(ANSWER_SECONDS)
            error = None if message is None else message.error()
            if message is None or (error is not None and error.code() != KafkaError._PARTITION_EOF):
                raise PartError(f"Kafka did not answer when {topic} was read ({error or 'it took too long'}).")
            if error is not None:
                return values
            key, value = (message.key() or b"").decode(), message.value()
            values.pop(key, None)
            if value is not None:
                values[key] = value
    finally:
        reader.close()
