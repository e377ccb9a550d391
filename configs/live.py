"""Settings of what happens live: serving, events, the system of record, the replay."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from configs.section import Secret, Section


class ServingSettings(Section):
    """The HTTP service."""

    host: str = Field(description="address it listens on")
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1, description="service processes")
    package: Path | None = Field(description="model package to serve; null: the registry's champion")
    redis_timeout_ms: float = Field(gt=0, description="longest wait for session and shopper state")
    max_k: int = Field(ge=1, description="most items one request may ask for")
    max_cart: int = Field(ge=1, description="most distinct products of a cart")
    public_cache_seconds: int = Field(
        ge=0, description="how long browsers and a CDN may keep products found and popular ones; 0: always ask again"
    )
    answer_cache_seconds: float = Field(
        ge=0, description="how long a session's recommendation answers the same question; an event ends it. 0: never"
    )
    answer_cache_entries: int = Field(ge=1, description="most answers that a worker keeps for that")


class EventSettings(Section):
    """The event stream and session state."""

    broker_url: str | None = Field(
        description="redis://, rediss://, unix://, kafka://, amqp:// or amqps:// URL of the broker that events go "
        "through; null: the Redis that holds the sessions"
    )
    stream: str = Field(
        min_length=1,
        pattern=r"^[A-Za-z0-9._:-]+$",
        description="name of the Redis streams, Kafka topic or RabbitMQ exchange; Kafka gets dots for colons",
    )
    partitions: int = Field(
        ge=1, le=256, description="parts of the stream, by session; fewer than before only once nothing waits"
    )
    group: str = Field(min_length=1, description="consumer group that keeps sessions and shoppers")
    record_group: str = Field(min_length=1, description="consumer group that writes the system of record")
    max_stream_length: int = Field(
        ge=1000, description="entries of a partition in Redis beyond which those that every group is done with go"
    )
    max_waiting: int = Field(
        ge=100,
        description="entries of a partition that some group is not done with, at which Redis and RabbitMQ refuse more "
        "(answer 503) instead of filling memory; Kafka keeps its events on disk, as long as its retention says",
    )
    max_attempts: int = Field(ge=1, description="an event that fails so often goes to the dead letters")
    reclaim_idle_ms: int = Field(
        ge=1, description="what a consumer took and did not acknowledge for this long is handed out again"
    )
    max_rejected_calls: int = Field(ge=0, description="refused calls kept in the dead letters; the oldest go first")
    batch: int = Field(ge=1, description="most events the consumer reads at a time")
    session_ttl_hours: float = Field(gt=0, description="a session without events for this long is forgotten")
    max_session_events: int = Field(
        ge=10, description="most cart changes kept per session since its cart was last told as a whole"
    )
    max_session_products: int = Field(
        ge=1, description="most lines of a cart told as a whole, and most views, kept per session"
    )
    longest_stay_seconds: float = Field(gt=0, description="most time taken to be spent on one look at a product's page")
    max_shopper_orders: int = Field(ge=1, description="most recent orders kept per shopper, until the next build")
    shopper_ttl_days: float = Field(gt=0, description="recent orders and links of an id without new ones are forgotten")
    max_body_kb: int = Field(ge=1, description="largest request body")
    max_event_kb: int = Field(ge=1, description="largest single event")


class RecordSettings(Section):
    """The system of record: orders and outcomes in SQL, the event log in Parquet below the work folder."""

    database_url: Secret | None = Field(
        description="SQLAlchemy URL, postgresql+psycopg://user:password@host/database; null: SQLite in the work folder"
    )
    batch: int = Field(ge=1, description="most events written in one transaction")
    flush_events: int = Field(ge=1, description="so many events make a file of the event log")
    flush_seconds: float = Field(gt=0, description="so do fewer, once the oldest has waited so long in the database")
    compact_hours: float = Field(gt=0, description="how often the files of closed days are made one")


class ReplaySettings(Section):
    """Playing held-out baskets through the live API."""

    sessions: int = Field(ge=10, description="test baskets that are played, sampled by seed")
    concurrency: int = Field(ge=1, description="sessions in flight at a time")
    k: int = Field(ge=1, description="items asked for at checkout")
    seed: int
