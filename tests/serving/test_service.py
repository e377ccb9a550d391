"""The service around the routes: health, description, pages, catalogue, clock, imports."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from configs.home import read_json
from serving.catalogue import ProductSearch
from serving.clock import KEEP_SECONDS, KEPT, STARTED, ClockKeeper, service_clock, start_of
from serving.launch import clock_start
from serving.routes.collect import SINGLE_CALLS
from tests.support.live import Live
from tests.support.waiting import wait_until
from training.package import ModelPackage
from training.recommender import ARMS


@pytest.mark.e2e
@pytest.mark.parametrize("path", ["/livez", "/healthz", "/readyz", "/metrics", "/schema", "/static/app.js"])
def test_it_answers(live_service: Live, path: str) -> None:
    assert live_service.get(path).status_code == 200


@pytest.mark.e2e
def test_the_checkout_page_is_served_at_the_root(live_service: Live) -> None:
    answer = live_service.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>Checkout</h1>" in answer.text


@pytest.mark.e2e
def test_the_description_lists_every_route_with_bodies_and_errors(live_service: Live) -> None:
    described = live_service.get("/schema/openapi.json").json()
    assert described["openapi"].startswith("3.")
    posts = {path for path, verbs in described["paths"].items() if "post" in verbs}
    assert posts == {"/v1/recommendations", "/v1/batch", *(f"/v1/{kind}" for kind in SINGLE_CALLS)}
    assert {"/v1/products", "/v1/status"} <= set(described["paths"])
    for path in posts:
        operation = described["paths"][path]["post"]
        assert operation["requestBody"]["content"]["application/json"]["schema"], path
        assert {"200", "400"} <= set(operation["responses"]), path


@pytest.mark.e2e
def test_an_unknown_path_is_answered_in_the_same_shape(live_service: Live) -> None:
    answer = live_service.get("/v1/nothing")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"field", "reason"}


@pytest.mark.e2e
@pytest.mark.parametrize("name", ["%00", "a" * 5_000, "app.js/x", "..%2fpyproject.toml", "%ff"])
def test_a_name_that_no_file_can_have_is_not_found(live_service: Live, name: str) -> None:
    answer = live_service.get(f"/static/{name}")
    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"field", "reason"}


@pytest.mark.e2e
def test_the_description_tells_what_requests_are_checked_for(live_service: Live) -> None:
    described = live_service.get("/schema/openapi.json").json()
    asked = described["components"]["schemas"]["RecommendationRequest"]["properties"]
    assert asked["arm"]["enum"] == list(ARMS)
    assert asked["k"]["maximum"] == live_service.settings.serving.max_k
    for kind in SINGLE_CALLS:
        told = described["paths"][f"/v1/{kind}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
        assert {"messageId", "anonymousId", "context"} <= set(told["properties"])
        assert ("event" in told["required"]) == (kind == "track")


@pytest.mark.e2e
def test_products_are_found_over_http(live_service: Live) -> None:
    items = live_service.get("/v1/products", limit=3).json()["items"]
    assert len(items) == 3
    again = live_service.get("/v1/products", q=items[1]["title"].upper(), limit=5).json()["items"]
    assert items[1]["product_id"] in {item["product_id"] for item in again}
    assert live_service.get("/v1/products", limit=0).status_code == 400


def test_words_match_in_any_order_and_are_taken_literally(package: ModelPackage) -> None:
    search = ProductSearch(package.matrix)
    first = search.find("", 1)[0]
    words = first.title.split()
    assert first in search.find(" ".join(reversed(words)), 100)
    for literal in (".*", "[", "a{2}", "\\"):
        assert all(literal in f"{p.title} {p.category} {p.brand} {p.product_id}" for p in search.find(literal, 5))


@pytest.mark.parametrize("block", [7, 10_000])
def test_search_finds_what_looking_at_every_product_finds(
    package: ModelPackage, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setattr("serving.catalogue.BLOCK", block)
    catalogue, search = package.products, ProductSearch(package.matrix)
    rows = package.matrix.by_popularity.tolist()
    texts = [f"{p.titles[row]} {p.categories[row]} {p.brands[row]} {p.ids[row]}" for p in [catalogue] for row in rows]
    names = (*catalogue.titles[::9], *catalogue.categories[::9], *catalogue.brands[::9], *catalogue.ids[::9], "no such")
    for words in (*names, "E", "a e", f"{catalogue.brands[0]} {catalogue.titles[0].upper()}"):
        holding = (all(word in text.lower() for word in words.lower().split()) for text in texts)
        expected = [catalogue.ids[row] for row, holds in zip(rows, holding, strict=True) if holds]
        assert [product.product_id for product in search.find(words, 12)] == expected[:12], words


def test_what_sells_most_is_found_first(package: ModelPackage) -> None:
    found = ProductSearch(package.matrix).find("", 20)
    popularity = [package.matrix.stats.popularity[package.matrix.row_of[item.product_id]] for item in found]
    assert popularity == sorted(popularity, reverse=True)


def test_a_historical_clock_starts_where_the_model_ends_and_runs() -> None:
    clock = service_clock("historical", 1_000.0)
    first = clock()
    time.sleep(0.01)
    assert 1_000.0 <= first < clock() < 1_010.0
    assert abs(service_clock("live", 1_000.0)() - time.time()) < 5


def test_all_workers_of_a_service_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(STARTED, repr(time.time() - 500))
    first = service_clock("historical", 1_000.0)
    time.sleep(0.05)
    later = service_clock("historical", 1_000.0)
    assert 1_500.0 <= first() <= later()


def test_a_service_that_starts_again_goes_on_where_its_clock_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_the_start(data: str | None) -> float:
        monkeypatch.setenv(STARTED, repr(start_of(tmp_path, data, time.time())))
        return service_clock("historical", 1_000.0)()

    assert at_the_start("d1") == pytest.approx(1_000.0, abs=5)
    ClockKeeper(tmp_path, lambda: 700.0, lambda: "d1").keep()
    told_last = 1_700.0 + KEEP_SECONDS
    for data in ("d1", None):  # None: no package can be read yet
        assert told_last < at_the_start(data) < told_last + 60
    assert at_the_start("d2") == pytest.approx(1_000.0, abs=5)  # a build of other data
    (tmp_path / KEPT).write_text("{")
    assert at_the_start("d1") == pytest.approx(1_000.0, abs=5)


@pytest.mark.e2e
def test_the_service_keeps_how_far_its_clock_has_come_and_would_go_on_from_there(live_service: Live) -> None:
    kept = live_service.settings.work.run / KEPT
    wait_until(kept.exists)
    told = live_service.get("/v1/status").json()
    come = (datetime.fromisoformat(told["now"]) - datetime.fromisoformat(told["as_of"])).total_seconds()
    assert read_json(kept)["elapsed"] == pytest.approx(come, abs=2 * KEEP_SECONDS)
    assert time.time() - clock_start(live_service.settings) > come


def test_the_worker_loads_none_of_the_heavy_tools() -> None:
    check = "import sys, serving.app; print(sorted({'feast', 'mlflow', 'great_expectations'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
