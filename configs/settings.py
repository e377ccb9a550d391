"""Typed settings: `configs/default.yaml` overridden by `TILLWISE_*` environment variables.

A nested key is reached with two underscores: `TILLWISE_SERVING__PORT=3001` sets `serving.port`. Keys that do not
exist are refused wherever they come from, so a typing error is never a silent default.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_serializer, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, YamlConfigSettingsSource

from configs.errors import ConfigError
from configs.home import WorkFolder

DEFAULTS = Path(__file__).with_name("default.yaml")
PREFIX = "TILLWISE_"


class Section(BaseModel):
    """A group of settings: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LogSettings(Section):
    """How processes write their logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(description="lowest level written")
    format: Literal["auto", "human", "json"] = Field(description="auto: human on a terminal, JSON lines otherwise")


class RedisSettings(Section):
    """Where session state, online features and the event stream live."""

    url: str | None = Field(description="redis:// URL of an existing server; null starts the embedded one")
    port: int = Field(ge=1, le=65535, description="port of the embedded server on 127.0.0.1")


class IngestSettings(Section):
    """What happens to rows that break the data contract."""

    max_rejected_share: float = Field(
        ge=0, le=1, description="share of a table's rows that may be quarantined before the run stops"
    )


class WindowSettings(Section):
    """How history is cut in time; every window ends at a local midnight.

    The cutoff, up to which a served model knows anything, is `as_of`, else `until`, else `test_days` before the end
    of the data. `until` (`--until`) is "as if that day were today": later orders are not even ingested, so a model is
    built from everything there is, and nothing is left to evaluate it on. `as_of` (`--as-of`) keeps the later orders
    for evaluation on [as_of, as_of + test_days). Both together judge an older model on a window before `until`.
    """

    until: date | None = Field(description="orders from this local midnight on are left out at ingest; null: none")
    as_of: date | None = Field(description="local midnight of the model's cutoff, not after until; null: see above")
    test_days: int = Field(ge=1, description="days after the cutoff, kept for evaluation and replay only")
    target_days: int = Field(ge=1, description="length of one training fold's target window")
    folds: int = Field(ge=1, description="most training folds before the test window; a short history has fewer")
    min_basket_products: int = Field(ge=2, description="baskets with fewer distinct products are no cases")
    seed: int = Field(description="decides which products of a basket are hidden")

    @model_validator(mode="after")
    def _cutoff_within_data(self) -> WindowSettings:
        if self.until and self.as_of and self.as_of > self.until:
            raise ValueError(f"as_of {self.as_of} lies after until {self.until}, where no data are left")
        return self


class FeatureSettings(Section):
    """Decays and bounds of the state that features keep."""

    repeat_half_life_days: float = Field(gt=0, description="decay of a shopper's purchases of one product")
    popularity_half_life_days: float = Field(gt=0, description="decay of a product's popularity")
    trend_half_life_days: float = Field(gt=0, description="fast decay; trend = fast rate / slow rate")
    price_half_life_days: float = Field(gt=0, description="decay of a product's price level and discount share")
    max_shopper_products: int = Field(ge=10, description="products kept in a shopper's state")
    max_shopper_basket_products: int = Field(
        ge=10, description="products kept in a shopper's newest baskets, over all of them"
    )
    basket_half_life_days: float = Field(gt=0, description="decay of what a shopper's past basket says of this one")
    neighbours: int = Field(ge=1, description="co-occurring products kept per product")
    category_neighbours: int = Field(ge=1, description="co-occurring categories kept per category")
    cosine_shrinkage: float = Field(ge=0, description="added to the cosine's denominator, in baskets")
    confidence_shrinkage: float = Field(ge=0, description="added to the confidence's denominator, in baskets")
    category_shrinkage: float = Field(ge=0, description="the same for confidence between categories")
    usual_products: int = Field(ge=1, description="products that stand for what a shopper usually buys")
    vector_dimensions: int = Field(ge=2, description="length of an item vector")
    vector_prior_orders: float = Field(gt=0, description="at so many orders, product and category weigh the same")
    encoder_pool: int = Field(ge=1, description="most popular products among which the encoder finds the nearest")
    encoder_unsold: int = Field(ge=0, description="the same of products that nobody has bought yet")


class CandidateSettings(Section):
    """How many candidates each generator may contribute."""

    cooccurrence: int = Field(ge=0, description="from what is bought together with the cart")
    history: int = Field(ge=0, description="from the shopper's own purchases")
    popular: int = Field(ge=0, description="from recently popular products")
    neural: int = Field(ge=0, description="nearest to cart and shopper by the encoder")
    unsold: int = Field(ge=0, description="the same among products that nobody has bought yet")
    session: int = Field(
        ge=0, description="products that the session looked at or changed its mind on, and their partners"
    )


class TrainingSettings(Section):
    """The LightGBM ranker (LambdaRank)."""

    seed: int = Field(description="of sampling and of LightGBM")
    max_baskets: int = Field(ge=1, description="most training baskets; more are sampled down")
    hidden_share: float = Field(gt=0, lt=1, description="share of each training basket that is hidden in one draw")
    single_draws: int = Field(ge=1, description="further draws of a basket, each hiding one random product")
    negatives_share: float = Field(
        gt=0, le=1, description="share of the candidates that were not hidden to learn from; evaluation uses all"
    )
    workers: int = Field(ge=0, description="processes that build examples; 0: one per core")
    trees: int = Field(ge=1, description="most boosting rounds")
    early_stopping_rounds: int = Field(ge=1, description="rounds without better validation NDCG before it stops")
    validation_share: float = Field(gt=0, lt=1, description="share of shoppers whose cases steer early stopping")
    learning_rate: float = Field(gt=0, le=1)
    leaves: int = Field(ge=2)
    min_data_in_leaf: int = Field(ge=1)
    threads: int = Field(ge=0, description="0: one per core")


class EncoderSettings(Section):
    """The encoder of cart and history (PyTorch), whose score both rankers read and whose neighbours are candidates."""

    seed: int = Field(description="of initial weights, of what is hidden and of the sampled products")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one; for training only")
    threads: int = Field(ge=0, description="of training on the CPU; 0: one per core")
    hidden: int = Field(ge=1, description="width of the hidden layer")
    history: int = Field(ge=1, description="newest past purchases that are read")
    cart: int = Field(ge=1, description="most cart products learned from at a time; a request's are all read")
    hidden_products: int = Field(ge=1, description="most hidden products of one draw that are learned")
    negatives: int = Field(ge=1, description="products sampled per step to compete with the hidden ones")
    epochs: int = Field(ge=1, description="passes over the baskets before the first training fold")
    later_epochs: int = Field(ge=1, description="passes over each later fold's baskets")
    later_rate: float = Field(gt=0, le=1, description="share of the learning rate for later folds")
    batch: int = Field(ge=1, description="baskets per step")
    learning_rate: float = Field(gt=0, le=1, description="highest of the one-cycle schedule")
    weight_decay: float = Field(ge=0)


class NetworkSettings(Section):
    """A network and its training (PyTorch)."""

    seed: int = Field(description="of initial weights and of the order of draws")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one; for training only")
    threads: int = Field(ge=0, description="of training on the CPU; 0: one per core")
    hidden: tuple[int, ...] = Field(min_length=1, description="width of each hidden layer")
    epochs: int = Field(ge=1, description="passes over the examples")
    batch: int = Field(ge=1, description="draws per step")
    learning_rate: float = Field(gt=0, le=1, description="highest of the one-cycle schedule")
    weight_decay: float = Field(ge=0)


class NeuralSettings(NetworkSettings):
    """The neural ranker."""


class StudentSettings(NetworkSettings):
    """The small network that learns from the blend of both rankers to answer like it at a fraction of its cost."""

    max_draws: int = Field(ge=1, description="draws it learns from, chosen by chance if there are more")
    temperature: float = Field(gt=0, description="softens the blend's shares: the higher, the more the also-rans count")
    hard_weight: float = Field(
        ge=0, le=1, description="weight in the loss of what was hidden; the rest is the blend's shares"
    )


Weight = Annotated[float, Field(ge=0, le=1000)]


class SignalSettings(Section):
    """The arm `signals`, which needs no model: what each signal is worth. `features/signals.py` has the formula."""

    activity: Weight = Field(description="most that the session's recent activity adds to a score")
    history: Weight = Field(description="most that the shopper's past purchases add")
    context: Weight = Field(description="most that cart, popularity and price add")
    half_life_minutes: float = Field(gt=0, le=1e6, description="decay of recent activity")
    most_actions: int = Field(ge=1, description="newest views and cart changes of a session that count")
    view: Weight = Field(description="worth of a view or click")
    add: Weight = Field(description="worth of putting a product into the cart")
    remove: Weight = Field(description="worth of taking it out again, instead of what putting it in was worth")
    product: Weight = Field(description="share of an action's worth that goes to the product itself")
    partner: Weight = Field(description="the same for what it is bought with, times their cosine")
    category: Weight = Field(description="the same for products of its leaf category")
    brand: Weight = Field(description="the same for products of its brand")
    cart: Weight = Field(description="part of the context: bought together with the cart; parts are relative")
    popularity: Weight = Field(description="part of the context: sells lately")
    price: Weight = Field(
        description="part of the context: costs what the shopper usually pays, else what the cart does"
    )

    @model_validator(mode="after")
    def _context_has_a_part(self) -> SignalSettings:
        if self.cart + self.popularity + self.price == 0:
            raise ValueError("cart, popularity and price are all 0: give one of them a part in the context")
        return self


class RankingSettings(Section):
    """How scores become a list."""

    head: Literal["blend", "gbm", "neural", "student", "student_int8"] = Field(
        description="whose scores the arms model and value rank by: both rankers blended, one of them alone, or the "
        "network distilled from the blend, in float32 or int8; `python -m benchmarks.heads` compares them"
    )
    discovery: float = Field(
        ge=0, description="log-odds added to products new to the shopper: more discoveries for a few repeats less"
    )
    signals: Weight = Field(
        description="log-odds that recent activity adds at most to the arm model, for shops whose data hold no "
        "sessions to learn from; 0: the model takes no notice of it"
    )
    weights: SignalSettings


class EvaluationSettings(Section):
    """The offline comparison of arms on the test window."""

    k: int = Field(ge=1, description="length of the list that is judged")
    bootstrap_samples: int = Field(ge=100, description="resamples of shoppers behind each 95 % interval")
    workers: int = Field(ge=0, description="processes that rank cases; 0: one per core")
    baselines: tuple[str, ...] = Field(description="further ways to rank that are fitted and compared, by name")


class RegistrySettings(Section):
    """Where models are registered, and what promotion demands."""

    uri: str | None = Field(description="MLflow tracking URI; null: SQLite below the work folder")
    model_name: str = Field(min_length=1, description="name of the registered model")
    experiment: str = Field(min_length=1, description="MLflow experiment that training runs are logged to")
    beat_arms: tuple[str, ...] = Field(description="arms whose 95 % interval a candidate champion's must lie above")


class ServingSettings(Section):
    """The HTTP service."""

    host: str = Field(description="address it listens on")
    port: int = Field(ge=1, le=65535)
    workers: int = Field(ge=1, description="service processes")
    package: Path | None = Field(description="model package to serve; null: the registry's champion")
    redis_timeout_ms: float = Field(gt=0, description="longest wait for session and shopper state")
    max_k: int = Field(ge=1, description="most items one request may ask for")
    max_cart: int = Field(ge=1, description="most distinct products of a cart")
    operator_keys: tuple[str, ...] = Field(
        description="bearer tokens of people who may read and erase profiles; none: those routes do not exist"
    )
    page_write_key: SecretStr | None = Field(
        description="write key that the demo checkout page is handed, for all who open it to see: one of "
        "events.write_keys made for it alone; null: it gets none, and where keys are asked for its events are lost"
    )

    @field_serializer("page_write_key", when_used="json")
    def _revealed(self, key: SecretStr | None) -> str | None:
        """Settings as JSON are handed to processes of ours, which need the key."""
        return None if key is None else key.get_secret_value()


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
    write_keys: tuple[SecretStr, ...] = Field(
        description="secrets of which a tracking call must carry one, as the user name of HTTP basic authentication "
        "or as `writeKey` in its body; empty: none is asked for. As a variable: TILLWISE_EVENTS__WRITE_KEYS='[\"key\"]'"
    )

    @field_serializer("write_keys", when_used="json")
    def _revealed(self, keys: tuple[SecretStr, ...]) -> list[str]:
        """Settings as JSON are handed to processes of ours, which need the keys."""
        return [key.get_secret_value() for key in keys]


class RecordSettings(Section):
    """The system of record: orders and outcomes in SQL, the event log in Parquet below the work folder."""

    database_url: SecretStr | None = Field(
        description="SQLAlchemy URL, postgresql+psycopg://user:password@host/database; null: SQLite in the work folder"
    )
    batch: int = Field(ge=1, description="most events written in one transaction")
    flush_events: int = Field(ge=1, description="so many events make a file of the event log")
    flush_seconds: float = Field(gt=0, description="so do fewer, once the oldest has waited so long in the database")
    compact_hours: float = Field(gt=0, description="how often the files of closed days are made one")

    @field_serializer("database_url", when_used="json")
    def _revealed(self, url: SecretStr | None) -> str | None:
        """Settings as JSON are handed to processes of ours, which need the password."""
        return None if url is None else url.get_secret_value()


class ReplaySettings(Section):
    """Playing held-out baskets through the live API."""

    sessions: int = Field(ge=10, description="test baskets that are played, sampled by seed")
    concurrency: int = Field(ge=1, description="sessions in flight at a time")
    k: int = Field(ge=1, description="items asked for at checkout")
    seed: int


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, yaml_file=DEFAULTS
    )

    home: Path = Field(description="work folder; relative paths start at the current folder")
    min_free_gb: float = Field(ge=0, description="free disk space that a build asks for before it starts")
    dataset: str = Field(description="name of a mapping in configs/datasets, or a path to one")
    log: LogSettings
    redis: RedisSettings
    ingest: IngestSettings
    windows: WindowSettings
    features: FeatureSettings
    candidates: CandidateSettings
    training: TrainingSettings
    encoder: EncoderSettings
    neural: NeuralSettings
    student: StudentSettings
    ranking: RankingSettings
    evaluation: EvaluationSettings
    registry: RegistrySettings
    serving: ServingSettings
    events: EventSettings
    record: RecordSettings
    replay: ReplaySettings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Explicit arguments win over the environment, which wins over `default.yaml`."""
        return init_settings, env_settings, YamlConfigSettingsSource(settings_cls)

    @property
    def work(self) -> WorkFolder:
        """Paths of the work folder, absolute."""
        return WorkFolder(self.home.resolve())

    @property
    def redis_url(self) -> str:
        """URL of the Redis in use, embedded or not."""
        return self.redis.url or f"redis://127.0.0.1:{self.redis.port}/0"

    @property
    def broker_url(self) -> str:
        """URL of the broker that events go through."""
        return self.events.broker_url or self.redis_url

    @property
    def service_url(self) -> str:
        """URL at which the service answers."""
        return f"http://{self.serving.host}:{self.serving.port}"


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of this process.

    Args:
        overrides: top-level fields that win over environment and defaults (tests use it); a section may be given
            as a mapping of only the keys that differ.

    Raises:
        ConfigError: a key does not exist or a value does not fit; the message names the key.
    """
    _refuse_unknown_variables(os.environ)
    try:
        return Settings(**overrides)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']} (found {item.get('input')!r})"
            for item in error.errors()
        )
        raise ConfigError(
            f"The settings do not fit: {problems}. Correct configs/default.yaml or the {PREFIX}* variable."
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{DEFAULTS} is not valid YAML: {error}.") from None


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    known = set(_variable_names(Settings))
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigError(
            f"Environment variable {unknown[0]} sets nothing: no such setting. Settings are listed in "
            f"configs/settings.py; nested keys take two underscores, as in {PREFIX}SERVING__PORT."
        )


def _variable_names(model: type[BaseModel], prefix: str = PREFIX) -> list[str]:
    names: list[str] = []
    for name, field in model.model_fields.items():
        variable = f"{prefix}{name.upper()}"
        names.append(variable)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += _variable_names(field.annotation, f"{variable}__")
    return names
