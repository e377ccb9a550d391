"""Arms with business rules or weights of their own, through the application: shown, logged, changed, refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from configs import Settings
from configs.errors import ConfigError
from features.shopper import ShopperState
from serving.app import make_app
from serving.rules import book
from tests.serving.experiments.support import arm, experiment, exposures_in, written
from tests.support.access import bearer, key, on_redis, with_access
from tests.support.waiting import wait_until
from training.package import ModelPackage
from training.recommender import Recommender

CHEAP = "placements: [{price_at_most: 2.5}]\n"
POPULAR = {"activity": 0.0, "history": 0.0, "cart": 0.0, "popularity": 1.0, "price": 0.0}
"""Weights with which the arm `signals` ranks by what sells lately."""


@pytest.fixture
def settings(built_shop: Settings, redis_url: str, tmp_path: Path) -> Settings:
    """The corner shop's settings with an operator's key, a Redis, and a rules file of the test's own."""
    (tmp_path / "shop.yaml").write_text("timezone: UTC\n")
    opened = with_access(on_redis(built_shop, redis_url), key("operator", "operate"))
    patient = {"redis_timeout_ms": 1_000.0, "deadline_ms": 20_000.0}
    serving = opened.serving.model_copy(update={"rules": tmp_path / "shop.yaml"} | patient)
    return opened.model_copy(update={"serving": serving})


@contextmanager
def started(
    settings: Settings, package: ModelPackage, arms: Sequence[dict[str, Any]]
) -> Iterator[TestClient[Litestar]]:
    """The application in this process with arms of an experiment."""
    file = written(settings.serving.rules_file.parent, experiment(*arms))
    serving = settings.serving.model_copy(update={"experiments": file})
    with TestClient(make_app(settings.model_copy(update={"serving": serving}), package)) as client:
        yield client


def by_arm(client: TestClient[Litestar], **request: Any) -> dict[str, dict[str, Any]]:
    """Return an answer of each of two arms, to sessions that are dealt them."""
    found: dict[str, dict[str, Any]] = {}
    for number in range(40):
        body = {"session_id": f"s{number}", "cart": [], "k": 8} | request
        answer = client.post("/v1/recommendations", json=body, headers=bearer("operator"))
        assert answer.status_code == 200, answer.text
        found.setdefault(answer.json()["experiment_arm"], answer.json())
        if len(found) == 2:
            return found
    raise AssertionError(f"40 sessions were all dealt {list(found)}")


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [item["product_id"] for item in answer["items"]]


def rules_of(client: TestClient[Litestar]) -> dict[str, Any]:
    told: dict[str, Any] = client.get("/v1/status").json()["rules"]
    return told


def test_an_arm_s_rules_stand_in_for_the_shop_s_part_by_part_and_are_followed_like_them(
    settings: Settings, package: ModelPackage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "LOOK_SECONDS", 0.02)
    (tmp_path / "cheap.yaml").write_text(CHEAP)
    with started(settings, package, [arm("shop", 0.5), arm("cheap", 0.5, rules="cheap.yaml")]) as client:
        first = by_arm(client)
        told = rules_of(client)
        assert (first["shop"]["rules_version"], first["cheap"]["rules_version"]) == (
            told["version"],
            told["arms"]["cheap"],
        )
        assert told["version"] != told["arms"]["cheap"]
        assert any(item["price"] > 2.5 for item in first["shop"]["items"])
        assert first["cheap"]["items"]
        assert all(item["price"] <= 2.5 for item in first["cheap"]["items"])
        wait_until(lambda: len(exposures_in(settings)) >= 2)
        logged = {
            one.exposure.experiment_arm: one.exposure.rules_version for one in exposures_in(settings) if one.exposure
        }
        assert logged == {name: answer["rules_version"] for name, answer in first.items()}

        best = ids_of(first["cheap"])[0]
        (tmp_path / "shop.yaml").write_text(f"blocked: [{{select: {{products: [{best!r}]}}}}]\n")
        wait_until(lambda: rules_of(client)["version"] != told["version"])
        both = by_arm(client)
        assert all(best not in ids_of(answer) for answer in both.values())
        assert all(item["price"] <= 2.5 for item in both["cheap"]["items"])

        before = rules_of(client)
        (tmp_path / "cheap.yaml").write_text("blocked: []\ncaps:\n  brand: lots\n")
        wait_until(lambda: rules_of(client)["refused"] is not None)
        assert f"{tmp_path / 'cheap.yaml'}, line 3: caps.brand: found 'lots'" in rules_of(client)["refused"]["reason"]
        assert rules_of(client) == before | {"refused": rules_of(client)["refused"]}
        assert ids_of(by_arm(client)["cheap"]) == ids_of(both["cheap"])

        (tmp_path / "cheap.yaml").write_text(f"blocked: []\n{CHEAP}")
        wait_until(lambda: rules_of(client)["arms"] != before["arms"])
        assert rules_of(client)["refused"] is None
        assert ids_of(by_arm(client)["cheap"])[0] == best
        assert best not in ids_of(by_arm(client)["shop"])


def test_an_arm_s_file_that_does_not_fit_stops_the_start_with_its_line(
    settings: Settings, package: ModelPackage, tmp_path: Path
) -> None:
    (tmp_path / "cheap.yaml").write_text("caps:\n  colour: 1\n")
    with (
        pytest.raises(ConfigError, match=r"cheap\.yaml, line 2: caps\.colour"),
        started(settings, package, [arm(rules="cheap.yaml")]),
    ):
        pass


def test_an_arm_s_weights_rank_and_explain_and_leave_the_others_theirs(
    settings: Settings, package: ModelPackage
) -> None:
    arms = [arm("usual", 0.5, ranking="signals"), arm("popular", 0.5, ranking="signals", weights=POPULAR)]
    with started(settings, package, arms) as client:
        cart = package.products.ids[:2]
        found = by_arm(client, explain=True, cart=[{"product_id": product} for product in cart])
    recommender, lately = Recommender(package), package.matrix.popularity_lately
    usual = recommender.recommend(cart, ShopperState.empty(), package.as_of, 8, "signals")
    assert ids_of(found["usual"]) == [one.product_id for one in usual]
    shown = [float(lately[package.matrix.row_of[product]]) for product in ids_of(found["popular"])]
    assert shown == sorted(shown, reverse=True)
    assert shown != [float(lately[package.matrix.row_of[product]]) for product in ids_of(found["usual"])]
    for item in found["popular"]["items"]:
        assert set(item["contributions"]) <= {"context"}
        assert sum(item["contributions"].values()) == pytest.approx(item["score"], abs=1e-4)


def test_weights_on_top_rank_like_a_package_with_these_weights(package: ModelPackage) -> None:
    changed = {"activity": 3.0, "history": 0.5, "half_life_minutes": 60.0}
    weights = package.ranking.weights.model_copy(update=changed)
    trained = replace(package, ranking=package.ranking.model_copy(update={"weights": weights}))
    seen = [(package.products.ids[3], package.as_of - 600.0, "view")]
    recommender = Recommender(package)
    ranked = []
    for one in (recommender.weighted(changed), Recommender(trained), recommender):
        context = one.context(package.products.ids[:2], ShopperState.empty(), package.as_of, seen)
        ranked.append(one.rank(context, 20, "signals"))
    (rows, scores), (expected_rows, expected_scores), (_, plain) = ranked
    assert np.array_equal(rows, expected_rows)
    assert np.array_equal(scores, expected_scores)
    assert not np.array_equal(scores, plain)
