"""Rules through the application: steps, countries, ages, hot reload, and what happens when they break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from structlog.testing import capture_logs

from configs import Settings
from configs.errors import ConfigError
from features.shopper import ShopperState
from serving import showing
from serving.app import make_app
from serving.launch import check_files
from serving.rules import book, compiled, read_rules
from tests.support.waiting import wait_until
from training.package import ModelPackage
from training.recommender import ARMS, Recommender


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules file, which tests change."""
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text("timezone: UTC\n")
    return path


@pytest.fixture(scope="module")
def client(built_shop: Settings, package: ModelPackage, file: Path) -> Iterator[TestClient[Litestar]]:
    """The application in this process, on a Redis that is not there: rules need none. It looks at the file often."""
    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(make_app(settings_with(built_shop, file), package)) as client,
    ):
        patch.setattr(book, "LOOK_SECONDS", 0.02)
        yield client


def settings_with(built_shop: Settings, file: Path) -> Settings:
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": "redis://127.0.0.1:1"}),
        "serving": built_shop.serving.model_copy(update={"rules": file}),
    }
    return built_shop.model_copy(update=changed)


def ask(client: TestClient[Litestar], **request: Any) -> dict[str, Any]:
    answer = client.post("/v1/recommendations", json={"cart": [], "k": 8} | request)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def shown(client: TestClient[Litestar], **request: Any) -> list[str]:
    return [item["product_id"] for item in ask(client, **request)["items"]]


def put(client: TestClient[Litestar], file: Path, text: str) -> None:
    """Change the file and wait until the service serves by it."""
    file.write_text(text)
    version = read_rules(file).version
    wait_until(lambda: ask(client)["rules_version"] == version)


def rules_status(client: TestClient[Litestar]) -> dict[str, Any]:
    status: dict[str, Any] = client.get("/v1/status").json()["rules"]
    return status


def test_rules_come_into_force_while_serving_and_a_bad_file_is_refused(
    client: TestClient[Litestar], file: Path
) -> None:
    first = shown(client)[0]
    put(client, file, f"blocked:\n- select: {{products: [{first!r}]}}\n")
    version = rules_status(client)["version"]
    assert first not in shown(client)
    file.write_text("blocked: []\ncaps:\n  brand: lots\n")
    wait_until(lambda: rules_status(client)["refused"] is not None)
    told = rules_status(client)
    assert f"{file}, line 3: caps.brand: found 'lots'" in told["refused"]["reason"]
    assert told["version"] == version == ask(client)["rules_version"]
    assert first not in shown(client)
    put(client, file, "timezone: UTC\n# mended\n")
    assert rules_status(client)["refused"] is None
    assert shown(client)[0] == first


@pytest.mark.parametrize("arm", ARMS)
def test_each_step_of_the_checkout_has_its_placement_whatever_the_arm(
    client: TestClient[Litestar], file: Path, arm: str
) -> None:
    put(client, file, "placements:\n- {when: {steps: [3]}, price_at_most: 2.5, at_most: 3}\n")
    before, at_payment = ask(client, arm=arm), ask(client, arm=arm, checkout_step=3)
    assert len(before["items"]) == 8
    assert any(item["price"] > 2.5 for item in before["items"])
    assert 0 < len(at_payment["items"]) <= 3
    assert all(item["price"] <= 2.5 for item in at_payment["items"])
    assert at_payment["arm"] == arm


def test_restricted_products_need_a_known_age_and_country(client: TestClient[Litestar], file: Path) -> None:
    file_without = "timezone: UTC\n# all\n"
    put(client, file, file_without)
    best = shown(client)[0]
    put(client, file, f"restricted:\n- select: {{products: [{best!r}]}}\n  minimum_age: 18\n  countries: [NL]\n")
    may = {"age": 18, "country": "nl"}
    assert best in shown(client, context=may)
    for less in ({"age": 17}, {"age": None}, {"country": "DE"}, {"country": None}):
        assert best not in shown(client, context=may | less)
    assert best not in shown(client)
    assert best not in shown(client, arm="popularity")


def test_a_price_band_looks_at_what_the_request_says_was_paid(
    client: TestClient[Litestar], file: Path, package: ModelPackage
) -> None:
    put(client, file, "price_bands:\n- {of: dearest_line, at_most: 1.0}\n")
    cart = [
        {"product_id": package.products.ids[0], "unit_price": 2.0},
        {"product_id": package.products.ids[1], "unit_price": 1.0},
    ]
    items = ask(client, cart=cart)["items"]
    assert items
    assert all(item["price"] <= 2.0 for item in items)


def test_fallbacks_look_further_where_rules_exclude_what_is_popular(
    client: TestClient[Litestar], file: Path, package: ModelPackage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled, "POOL", 20)  # the corner shop is small
    least = [package.products.ids[int(row)] for row in package.matrix.by_popularity[-40:]]
    least = [product for product in least if package.products.in_stock[package.matrix.row_of[product]]]
    quoted = ", ".join(repr(product) for product in least)
    put(client, file, f"placements:\n- only: {{products: [{quoted}]}}\n  when: {{}}\n")
    found = shown(client, arm="popularity")
    assert len(found) == 8
    assert set(found) <= set(least)


def test_a_fallback_answers_where_the_rules_leave_nothing_of_the_arm(
    client: TestClient[Litestar], file: Path, package: ModelPackage
) -> None:
    recommender = Recommender(package)
    ranked, _ = recommender.rank(recommender.context([], ShopperState.empty(), package.as_of), len(package.products))
    others = np.setdiff1d(np.flatnonzero(package.products.in_stock), ranked)[:3]
    ids = [package.products.ids[row] for row in others.tolist()]
    put(client, file, f"placements: [{{only: {{products: {ids!r}}}}}, {{when: {{steps: [4]}}, at_most: 0}}]\n")
    answer = ask(client)
    assert {item["product_id"] for item in answer["items"]} == set(ids)
    assert answer["fallback"]["reason"] == "the rules let nothing through that model ranks"
    wanted_empty = ask(client, checkout_step=4)
    assert (wanted_empty["items"], wanted_empty["fallback"]) == ([], None)


def test_rules_that_break_show_nothing_and_say_so(
    client: TestClient[Litestar], file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(client, file, "caps: {brand: 1}\n")

    def broken(*_: object) -> None:
        raise RuntimeError("the rules are broken")

    monkeypatch.setattr(showing, "choose", broken)
    with capture_logs():  # as structlog is set up by default, it would print every array
        answer = ask(client)
    assert answer["items"] == []
    assert "rules failed (RuntimeError), so nothing is shown" in answer["fallback"]["reason"]


def test_a_bad_file_at_start_is_a_configuration_error(
    built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("caps:\n  colour: 1\n")
    with pytest.raises(ConfigError, match=r"line 2: caps\.colour"):
        make_app(settings_with(built_shop, file), package)


def test_the_command_says_so_before_any_worker_is_started(built_shop: Settings, tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text("caps:\n  colour: 1\n")
    with pytest.raises(ConfigError, match=r"line 2: caps\.colour"):
        check_files(settings_with(built_shop, file))
    file.write_text("timezone: UTC\n")
    check_files(settings_with(built_shop, file))
