"""The application while models are swapped: whoever asks is answered by one package from beginning to end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from features.shopper import ShopperState
from serving import path
from serving.app import make_serving_app
from serving.models import Models, Served
from tests.support.packages import another, damaged, move, version_in
from training.aliases import CHALLENGER, CHAMPION
from training.package import ModelPackage

CART = 3
"""Products in the cart of whoever asks."""
YEAR_2030 = 1_893_456_000.0


@pytest.fixture
def settings(built_shop: Settings, redis_url: str, tmp_path: Path) -> Settings:
    """The corner shop's settings with a work folder for pointers."""
    changed: dict[str, Any] = {
        "home": tmp_path,
        "redis": built_shop.redis.model_copy(update={"url": redis_url}),
        "serving": built_shop.serving.model_copy(update={"redis_timeout_ms": 1_000.0, "deadline_ms": 20_000.0}),
    }
    return built_shop.model_copy(update=changed)


@dataclass(frozen=True)
class App:
    """The application in this process, and what it serves."""

    client: TestClient[Litestar]
    models: Models
    settings: Settings

    def offer(self, folder: Path, version: str, alias: str = CHAMPION) -> None:
        """Let an alias mean another package."""
        self.models.follow(move(self.settings.work, folder, version, alias))

    def ask(self, cart: list[str]) -> dict[str, Any]:
        """Return the answer for a cart."""
        body = {"cart": [{"product_id": product} for product in cart], "at": "2030-01-01T00:00:00Z", "k": 10}
        answer = self.client.post("/v1/recommendations", json=body)
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    @property
    def model(self) -> dict[str, Any]:
        """What the status says of the model."""
        found: dict[str, Any] = self.client.get("/v1/status").json()["model"]
        return found


@pytest.fixture
def app(built_shop: Settings, settings: Settings, package: ModelPackage) -> Iterator[App]:
    """The application, serving the corner shop's package at first."""
    move(settings.work, built_shop.work.model, package.version)
    models = Models.opened(settings)
    with TestClient(make_serving_app(settings, models)) as client:
        yield App(client, models, settings)


@pytest.fixture
def following(package: ModelPackage, tmp_path: Path) -> tuple[Path, str]:
    """Another package: its folder and version."""
    folder = another(package, tmp_path / "next", discovery=5.0)
    return folder, version_in(folder)


def products_of(answer: dict[str, Any]) -> list[str]:
    return [item["product_id"] for item in answer["items"]]


def expected(served: Served | None, cart: list[str]) -> list[str]:
    assert served is not None
    answer = served.recommender.recommend(cart, ShopperState.empty(), YEAR_2030, 10)
    return [item.product_id for item in answer]


def test_answers_products_and_status_follow_a_swap(
    app: App, package: ModelPackage, following: tuple[Path, str]
) -> None:
    cart, before = package.products.ids[:CART], app.model
    assert (before["version"], before["previous"], before["refused"]) == (package.version, None, None)
    first = app.ask(cart)
    app.offer(*following)
    second = app.ask(cart)
    assert (first["model_version"], second["model_version"]) == (package.version, following[1])
    assert products_of(second) == expected(app.models.champion, cart)
    assert [item["score"] for item in second["items"]] != [item["score"] for item in first["items"]]
    assert (app.model["version"], app.model["previous"]) == (following[1], package.version)
    assert app.client.get("/v1/status").json()["model_version"] == following[1]
    assert len(app.client.get("/v1/products", params={"limit": 3}).json()["items"]) == 3


def test_a_refused_package_is_reported_with_its_reason(
    app: App, built_shop: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    app.offer(damaged(built_shop.work.model, tmp_path / "damaged"), "damaged")
    told = app.model
    assert told["version"] == package.version
    assert (told["refused"]["version"], "ranker.txt" in told["refused"]["reason"]) == ("damaged", True)
    assert app.ask(package.products.ids[:CART])["model_version"] == package.version


def test_the_challenger_is_shown_beside_the_champion(
    app: App, package: ModelPackage, following: tuple[Path, str]
) -> None:
    app.offer(*following, CHALLENGER)
    assert (app.model["version"], app.model["challenger"]) == (package.version, following[1])


def test_a_request_under_way_is_answered_by_the_package_it_began_with(
    app: App, package: ModelPackage, following: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    under_way, swapped = threading.Event(), threading.Event()
    read = path.StateReader.read

    async def slow(self: path.StateReader, *arguments: Any) -> path.Known:
        known = await read(self, *arguments)
        under_way.set()
        assert swapped.wait(10)
        return known

    monkeypatch.setattr(path.StateReader, "read", slow)
    answers: list[dict[str, Any]] = []
    cart = package.products.ids[:CART]
    asking = threading.Thread(target=lambda: answers.append(app.ask(cart)))
    asking.start()
    assert under_way.wait(10)
    app.offer(*following)
    swapped.set()
    asking.join(10)
    (answer,) = answers
    assert answer["model_version"] == package.version
    assert products_of(answer) == expected(app.models.standing.previous, cart)
