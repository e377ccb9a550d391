"""Settings: defaults, overrides, and refusals that name what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from configs.errors import ConfigError
from configs.settings import Settings, load_settings
from configs.urls import without_password


def test_the_defaults_are_whole() -> None:
    settings = load_settings()

    assert settings.dataset == "complete_journey"
    assert 0 < settings.ingest.max_rejected_share < 1


def test_an_environment_variable_reaches_a_nested_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_SERVING__PORT", "3001")

    settings = load_settings()

    assert settings.serving.port == 3001
    assert settings.service_url == f"http://{settings.serving.host}:3001"


def test_an_argument_wins_over_the_environment_and_leaves_the_rest_of_its_section(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILLWISE_SERVING__PORT", "3001")

    settings = load_settings(serving={"port": 3002})

    assert settings.serving.port == 3002
    assert settings.serving.host == load_settings().serving.host


def test_a_variable_that_sets_nothing_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_SERVING_PORT", "3001")

    with pytest.raises(ConfigError, match="TILLWISE_SERVING_PORT sets nothing"):
        load_settings()


def test_a_value_that_does_not_fit_is_named_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_SERVING__PORT", "70000")

    with pytest.raises(ConfigError, match=r"serving\.port: .*65535 \(found '70000'\)"):
        load_settings()


def test_an_unknown_key_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"serving\.prot"):
        load_settings(serving={"prot": 3001})


def test_a_relative_work_folder_starts_at_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_settings(home="mine").work.data == tmp_path / "mine" / "data"


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().dataset = "other"


def test_every_top_level_setting_has_a_default_and_no_section_is_empty() -> None:
    settings = load_settings()

    for name, field in Settings.model_fields.items():
        assert getattr(settings, name) is not None
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            assert field.annotation.model_fields, name


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:6390/0", "redis://127.0.0.1:6390/0"),
        ("amqps://me:p%40ss@shop.example:5671/vhost", "amqps://shop.example:5671/vhost"),
        ("kafka://me:pass@a:9092,b:9092?sasl.password=pass", "kafka://a:9092,b:9092"),
        ("unix://me:pass@/run/redis.sock?db=1", "unix:///run/redis.sock"),
    ],
)
def test_a_url_is_shown_without_what_opens_a_door(url: str, shown: str) -> None:
    assert without_password(url) == shown


def test_events_go_through_the_redis_of_the_sessions_unless_a_broker_is_named() -> None:
    redis = {"url": "redis://elsewhere:1/0"}
    assert load_settings(redis=redis).broker_url == "redis://elsewhere:1/0"
    assert load_settings(redis=redis, events={"broker_url": "kafka://b:2"}).broker_url == "kafka://b:2"
