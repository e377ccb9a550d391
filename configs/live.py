"""Settings of what happens live: serving, events, the system of record, the replay, what is watched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from configs.section import Secret, Section
from configs.watching import WatchSettings

DEFAULT_RULES = Path(__file__).parent / "rules" / "default.yaml"


class ExposureSettings(Section):
    """The record of what was shown."""

    enabled: bool = Field(description="whether each answer is logged; experiments need it")
    features: bool = Field(description="whether with the features of the products shown, to learn from and to compare")
    queue: int = Field(
        ge=1, description="answers of a worker that may wait to be published; further ones are not logged, and counted"
    )


class BreakerSettings(Section):
    """The circuit breaker around reading state from Redis."""

    failures: int = Field(ge=1, description="so many of the newest 2 × as many reads that failed open it")
    window_seconds: float = Field(gt=0, description="failures older than this do not count")
    open_seconds: float = Field(gt=0, description="how long Redis is not asked, until one request tries it again")


class ServingSettings(Section):
    """The HTTP service."""

    host: str = Field(description="address it listens on")
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1, description="service processes")
    package: Path | None = Field(
        description="model package to serve, whatever becomes champion; null: the registry's champion, which is "
        "followed while serving"
    )
    follow_seconds: float = Field(gt=0, description="how often a worker looks whether another model became champion")
    deadline_ms: float = Field(gt=0, description="longest that a recommendation may take; a client may ask for less")
    redis_timeout_ms: float = Field(gt=0, description="longest wait for session and shopper state")
    breaker: BreakerSettings
    max_in_flight: int = Field(ge=1, description="recommendations a worker works on at a time; more are answered 429")
    shed_delay_ms: float = Field(
        gt=0, description="waiting before work on a recommendation begins that is answered 429 if it lasts"
    )
    max_k: int = Field(ge=1, description="most items one request may ask for")
    max_cart: int = Field(ge=1, description="most distinct products of a cart")
    rules: Path | None = Field(
        description="file of business rules (YAML), looked at every second; null: configs/rules/default.yaml; a "
        "relative path starts at the current folder"
    )
    public_cache_seconds: int = Field(
        ge=0, description="how long browsers and a CDN may keep products found and popular ones; 0: always ask again"
    )
    answer_cache_seconds: float = Field(
        ge=0, description="how long a session's recommendation answers the same question; an event ends it. 0: never"
    )
    answer_cache_entries: int = Field(ge=1, description="most answers that a worker keeps for that")
    experiments: Path | None = Field(
        description="file of the running experiment, see serving/experiments/file.py; null: none runs"
    )
    exposures: ExposureSettings

    @property
    def rules_file(self) -> Path:
        """The rules file that is meant."""
        return self.rules or DEFAULT_RULES


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
    max_in_flight: int = Field(ge=1, description="tracking calls a worker takes at a time; more are answered 429")


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


class GuardrailSettings(Section):
    """What an arm of an experiment may not do, whatever else it improves."""

    latency_p99_ms: float = Field(gt=0, description="the 99th percentile of its answers' time may not be above this")
    fallback_share: float = Field(ge=0, le=1, description="nor the share of its answers that were degraded")
    margin_drop: float = Field(
        ge=0, le=1, description="nor its margin a request below the control's by more than this share, surely below it"
    )
    diversity_drop: float = Field(
        ge=0, le=1, description="nor its distinct products, or the spread over categories, by more than this share"
    )


class MonitoringSettings(Section):
    """Looking at what was shown and what came of it."""

    attribution_minutes: float = Field(
        gt=0, description="clicks, adds and orders count for what was shown at most so long before them"
    )
    attribution_touch: Literal["last", "any"] = Field(
        description="put them down to the last answer that showed the product, or to any: then one order counts for "
        "several answers, and what adds up over answers is too much; `events/record/attribution.py` has the rules"
    )
    control_arm: str = Field(min_length=1, description="the arm that the others are compared with, unless one is named")
    alpha: float = Field(
        gt=0, lt=0.5, description="share of experiments without any effect in which an arm may ever be called different"
    )
    tightest_at_people: int = Field(
        ge=100, description="the always-valid intervals are relatively narrowest once so many people took part"
    )
    least_people: int = Field(ge=10, description="with fewer people in an arm nothing is said about it")
    mismatch_p: float = Field(
        gt=0, lt=1, description="people split over the arms so unlikely as this or more: the assignment is broken"
    )
    clip: float = Field(
        ge=1, description="off-policy: the largest weight of one product shown, where weights are clipped"
    )
    ridge: float = Field(
        gt=0, description="off-policy: strength of the ridge penalty of the doubly robust reward model"
    )
    bootstrap_samples: int = Field(ge=100, description="off-policy: resamples of people that an interval is made of")
    seed: int = Field(description="of the resampling")
    guardrails: GuardrailSettings
    watch: WatchSettings
