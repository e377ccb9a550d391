"""Typed settings: `configs/default.yaml` overridden by `TILLWISE_*` environment variables.

A nested key is reached with two underscores: `TILLWISE_SERVING__PORT=3001` sets `serving.port`. Keys that do not
exist are refused wherever they come from, so a typing error is never a silent default. What happens offline is set in
`configs.learning`, what happens live in `configs.live`, how a version is released in `configs.releasing`, how
simulated shoppers behave in `configs.traffic`, who may do what in `configs.access`, what happens when in
`configs.schedules`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    YamlConfigSettingsSource,
)

from configs.access import AccessSettings
from configs.audit import AuditSettings
from configs.errors import ConfigError
from configs.feedback import ExaminationSettings, FeedbackSettings
from configs.home import WorkFolder
from configs.learning import (
    CandidateSettings,
    EncoderSettings,
    EvaluationSettings,
    FeatureSettings,
    IngestSettings,
    NetworkSettings,
    NeuralSettings,
    RankingSettings,
    RegistrySettings,
    SignalSettings,
    StudentSettings,
    TrainingSettings,
    WindowSettings,
)
from configs.live import (
    EventSettings,
    ExposureSettings,
    GuardrailSettings,
    MonitoringSettings,
    RecordSettings,
    ReplaySettings,
    ServingSettings,
)
from configs.releasing import ReleaseSettings
from configs.schedules import CadenceSettings, FlowSettings
from configs.section import Section
from configs.traffic import BehaviourSettings, TrafficSettings

__all__ = [
    "DEFAULTS",
    "PREFIX",
    "AccessSettings",
    "AuditSettings",
    "BehaviourSettings",
    "CadenceSettings",
    "CandidateSettings",
    "EncoderSettings",
    "EvaluationSettings",
    "EventSettings",
    "ExaminationSettings",
    "ExposureSettings",
    "FeatureSettings",
    "FeedbackSettings",
    "FlowSettings",
    "GuardrailSettings",
    "IngestSettings",
    "LogSettings",
    "MonitoringSettings",
    "NetworkSettings",
    "NeuralSettings",
    "RankingSettings",
    "RecordSettings",
    "RedisSettings",
    "RegistrySettings",
    "ReleaseSettings",
    "ReplaySettings",
    "Section",
    "ServingSettings",
    "Settings",
    "SignalSettings",
    "StudentSettings",
    "TrafficSettings",
    "TrainingSettings",
    "WindowSettings",
    "load_settings",
]

DEFAULTS = Path(__file__).with_name("default.yaml")
PREFIX = "TILLWISE_"
_SECRETS = {"keys", "url", "broker_url", "database_url"}
"""Settings whose values are, hold or may be meant to hold secrets: no error shows them."""


class LogSettings(Section):
    """How processes write their logs."""

    level: Literal["debug", "info", "warning", "error"] = Field(description="lowest level written")
    format: Literal["auto", "human", "json"] = Field(description="auto: human on a terminal, JSON lines otherwise")


class RedisSettings(Section):
    """Where session state, online features and the event stream live."""

    url: str | None = Field(description="redis:// URL of an existing server; null starts the embedded one")
    port: int = Field(ge=1, le=65535, description="port of the embedded server on 127.0.0.1")


class Settings(BaseSettings):
    """All settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True, yaml_file=DEFAULTS
    )

    home: Path = Field(description="work folder; relative paths start at the current folder")
    min_free_gb: float = Field(
        ge=0,
        description="free disk space in GiB that a build asks for before it starts; by default more than all stages "
        "leave behind for the bundled data, examples of training being the largest part",
    )
    dataset: str = Field(description="name of a mapping in configs/datasets, or a path to one")
    log: LogSettings
    redis: RedisSettings
    ingest: IngestSettings
    windows: WindowSettings
    features: FeatureSettings
    candidates: CandidateSettings
    training: TrainingSettings
    feedback: FeedbackSettings
    encoder: EncoderSettings
    neural: NeuralSettings
    student: StudentSettings
    ranking: RankingSettings
    evaluation: EvaluationSettings
    registry: RegistrySettings
    serving: ServingSettings
    access: AccessSettings
    events: EventSettings
    record: RecordSettings
    replay: ReplaySettings
    traffic: TrafficSettings
    monitoring: MonitoringSettings
    flows: FlowSettings
    release: ReleaseSettings

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
        problems = "; ".join(_problem(item) for item in error.errors())
        raise ConfigError(
            f"The settings do not fit: {problems}. Correct configs/default.yaml or the {PREFIX}* variable."
        ) from None
    except SettingsError as error:  # its text names the section, its cause would show the value
        raise ConfigError(
            f"The settings do not fit: {error}. Lists and sections are given to a {PREFIX}* variable as JSON."
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{DEFAULTS} is not valid YAML: {error}.") from None


def _problem(item: ErrorDetails) -> str:
    # What was found is shown only when it is a plain value that is no secret.
    place, found = item["loc"], item["input"]
    plain = found is None or isinstance(found, bool | int | float | str)
    shown = f" (found {found!r})" if plain and not _SECRETS & set(place) else ""
    return f"{'.'.join(map(str, place)) or 'settings'}: {item['msg'].removeprefix('Value error, ')}{shown}"


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
