"""Contributions over HTTP: for whom, and that they add up with what the rules did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr

from configs import Settings
from features.shopper import ShopperState
from serving.app import make_app
from training.package import ModelPackage
from training.recommender import ARMS, Recommender

KEY = "an operator's key"
OPERATOR = {"Authorization": f"Bearer {KEY}"}


def application(built_shop: Settings, package: ModelPackage, rules: Path | None, *keys: str) -> Litestar:
    changed = {
        "redis": built_shop.redis.model_copy(update={"url": "redis://127.0.0.1:1"}),
        "serving": built_shop.serving.model_copy(
            update={"rules": rules, "operator_keys": tuple(SecretStr(key) for key in keys)}
        ),
    }
    return make_app(built_shop.model_copy(update=changed), package)


@pytest.fixture(scope="module")
def client(
    built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TestClient[Litestar]]:
    """The application with an operator's key, and rules that boost a brand and pin what the model does not rank."""
    ids, brand = package.products.ids, next(filter(None, package.products.brands))
    recommender = Recommender(package)
    ranked, _ = recommender.rank(recommender.context([], ShopperState.empty(), package.as_of), len(ids))
    others = np.setdiff1d(np.flatnonzero(package.products.in_stock), ranked)
    rules = tmp_path_factory.mktemp("rules") / "rules.yaml"
    rules.write_text(
        f"boosts: {{promotions: [{{select: {{brands: [{brand!r}]}}, log_odds: 0.7}}]}}\n"
        f"pinned: [{{product: {ids[int(others[0])]!r}, position: 2}}]\n"
    )
    with TestClient(application(built_shop, package, rules, KEY)) as client:
        yield client


def ask(client: TestClient[Litestar], headers: dict[str, str], **request: Any) -> Any:
    return client.post("/v1/recommendations", json={"cart": [], "k": 6} | request, headers=headers)


@pytest.mark.parametrize("arm", ARMS)
def test_contributions_and_rules_add_up_to_the_score_of_each_item(client: TestClient[Litestar], arm: str) -> None:
    cart = [{"product_id": item["product_id"]} for item in ask(client, {}, k=2).json()["items"]]
    items = ask(client, OPERATOR, explain=True, arm=arm, cart=cart).json()["items"]
    assert len(items) == 6
    for item in items:
        total = sum(item["contributions"].values())
        assert total == pytest.approx(item["score"], rel=1e-4, abs=1.1e-4)  # the score is rounded to 5 digits
    assert any("rules" in item["contributions"] for item in items)


def test_what_was_not_asked_for_is_not_told(client: TestClient[Litestar]) -> None:
    for item in ask(client, OPERATOR).json()["items"]:
        assert "contributions" not in item


def test_a_pinned_product_that_nobody_asked_for_says_that_the_shop_features_it(client: TestClient[Litestar]) -> None:
    item = ask(client, OPERATOR, explain=True).json()["items"][1]
    assert item["reason"] == "Featured by the shop"
    assert set(item["contributions"]) <= {"rules"}


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {KEY}"}])
def test_contributions_take_an_operators_key(client: TestClient[Litestar], headers: dict[str, str]) -> None:
    answer = ask(client, headers, explain=True)
    assert answer.status_code == 401
    assert "operator key" in answer.json()["error"]["reason"]
    assert ask(client, headers).status_code == 200


def test_without_operator_keys_there_is_no_explaining(built_shop: Settings, package: ModelPackage) -> None:
    with TestClient(application(built_shop, package, None)) as closed:
        answer = ask(closed, OPERATOR, explain=True)
    assert answer.status_code == 404
    assert "`explain` does not exist here" in answer.json()["error"]["reason"]


def test_the_description_tells_of_contributions_and_their_tolerance(client: TestClient[Litestar]) -> None:
    schema = client.get("/schema/openapi.json").json()
    told = schema["components"]["schemas"]["Item"]["properties"]["contributions"]["description"]
    assert "within 0.0001" in told
    assert {"401", "404"} <= set(schema["paths"]["/v1/recommendations"]["post"]["responses"])
