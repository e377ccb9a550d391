"""How long Kafka keeps what it was told, which nobody can shorten for a single entry."""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined] # imported there without "as", so mypy takes it for private

from events.brokers.kafka_topics import ANSWER_SECONDS, client_config

FOREVER = -1


def retention_days(url: str, topic: str) -> float | None:
    """Return after how many days a topic's entries go: `FOREVER` for never, None if the broker does not tell.

    Args:
        url: kafka:// URL.
        topic: its name.
    """
    wanted = ConfigResource(ConfigResource.Type.TOPIC, topic)
    try:
        answer = AdminClient(client_config(url)).describe_configs([wanted], request_timeout=ANSWER_SECONDS)
        told = answer[wanted].result(ANSWER_SECONDS)["retention.ms"].value
    except (KafkaException, KeyError, TimeoutError):
        return None
    return FOREVER if int(told) < 0 else int(told) / 86_400_000
