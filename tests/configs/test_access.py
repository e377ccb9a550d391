"""Keys are checked when the settings are read, and no error shows one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from configs import load_settings
from configs.errors import ConfigError
from tests.support.access import access, key

SECRET = "tell-nobody"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ([key("a", "collect", secret=SECRET), key("b", "collect", secret=SECRET)], "same secret"),
        ([key("a", "collect", secret=SECRET), key("a", "recommend")], "two keys have the name 'a'"),
        ([key("a", "operate", secret=SECRET)], "at least 16 characters"),
        ([key("a", "admin", secret=SECRET)], r"'collect', 'recommend' or 'operate'"),
        ([key("a", secret=SECRET)], "at least 1 item"),
        ([key("a", "collect", secret=f"{SECRET}:")], "no colon"),
        ([key("a", "collect", secret=f" {SECRET}")], "no space around it"),
        ([key("a", "collect", secret=f"{SECRET}é")], "ASCII"),
        ([key("a", "collect", secret=f"{SECRET}\n")], "printable"),
        ([key("a", "collect", secret=SECRET, burst=3)], "without requests_per_second"),
        ([key("a", "collect", secret=SECRET, requests_per_second=0)], "greater than 0"),
        ([key("", "collect", secret=SECRET)], r"access\.keys\.0\.name"),
        ([SECRET], r"access\.keys\.0"),
        (SECRET, r"access\.keys"),
        ([{"name": "a", "kye": SECRET, "scopes": ["collect"]}], r"access\.keys\.0\.kye"),
    ],
)
def test_keys_that_do_not_fit_are_refused_with_the_reason_and_without_the_secret(keys: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as refused:
        load_settings(access={"keys": keys})
    assert SECRET not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"page_key": "c"}, r"no key of that name \(it has: a, b\)"),
        ({"page_key": "b"}, "everybody can read"),
        ({"anonymous_burst": 3}, "without anonymous_requests_per_second"),
        ({"origins": ["shop.example"]}, r"origins"),
        ({"origins": ["https://shop.example/"]}, r"origins"),
        ({"frame_ancestors": ["https://a; script-src *"]}, r"frame_ancestors"),
        ({"handler_seconds": 5}, "less than 5"),
    ],
)
def test_what_contradicts_is_refused(others: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        access(key("a", "collect"), key("b", "operate", secret="x" * 16), **others)


def test_keys_come_by_variable_and_what_is_no_json_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILLWISE_ACCESS__KEYS", json.dumps([key("shop", "collect", secret=SECRET)]))
    settings = load_settings()
    assert settings.access.keys[0].key.get_secret_value() == SECRET
    assert SECRET not in repr(settings)
    monkeypatch.setenv("TILLWISE_ACCESS__KEYS", f"[{SECRET}]")
    with pytest.raises(ConfigError, match="as JSON") as refused:
        load_settings()
    assert SECRET not in str(refused.value)


def test_the_key_that_is_limited_least_is_chosen_for_a_scope() -> None:
    section = access(key("slow", "collect", requests_per_second=1), key("all", "collect", "recommend"))
    found = section.key_for("collect")
    assert found is not None
    assert found.get_secret_value() == "secret of all"
    assert section.key_for("operate") is None
