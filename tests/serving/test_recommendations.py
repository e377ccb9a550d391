"""Recommendations over HTTP from the live stack."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest

from features.history import load_history
from monitoring.running import service_area
from tests.support.live import Live
from tests.support.waiting import wait_until
from training.recommender import ARMS

pytestmark = pytest.mark.e2e


def recommended(live: Live, **request: Any) -> list[str]:
    answer = live.post("/v1/recommendations", request)
    assert answer.status_code == 200, answer.text
    return [item["product_id"] for item in answer.json()["items"]]


def track(live: Live, session: str, event: str, **properties: Any) -> None:
    body = {"event": event, "anonymousId": session, "context": {"sessionId": session}, "properties": properties}
    assert live.post("/v1/track", body).json() == {"success": True}


def test_an_answer_says_who_made_it_and_why_each_item(live_service: Live) -> None:
    answer = live_service.post("/v1/recommendations", {"cart": [], "k": 3}).json()
    told = {"request_id", "model_version", "rules_version", "arm", "items", "fallback", "experiment", "experiment_arm"}
    assert set(answer) == told
    assert (answer["experiment"], answer["experiment_arm"]) == (None, None)
    assert (answer["arm"], answer["fallback"], len(answer["items"])) == ("model", None, 3)
    assert answer["model_version"] == live_service.get("/v1/status").json()["model_version"]
    for item in answer["items"]:
        assert set(item) == {"product_id", "title", "category", "price", "score", "reason"}
        assert item["reason"]
        assert item["title"]


@pytest.mark.parametrize("arm", ARMS)
def test_no_arm_recommends_what_is_in_the_cart(live_service: Live, arm: str) -> None:
    cart: list[str] = []
    for _ in range(4):
        found = recommended(live_service, cart=[{"product_id": product} for product in cart], k=5, arm=arm)
        assert len(found) == 5
        assert not set(found) & set(cart)
        cart += found


def test_the_next_call_of_a_session_sees_what_was_added_and_removed(live_service: Live) -> None:
    session = uuid.uuid4().hex
    first = recommended(live_service, session_id=session, k=5)[0]
    track(live_service, session, "Product Added", product_id=first)
    wait_until(lambda: first not in recommended(live_service, session_id=session, k=5))
    track(live_service, session, "Product Removed", product_id=first)
    wait_until(lambda: first in recommended(live_service, session_id=session, k=5))


def test_a_changed_rules_file_comes_into_force_without_a_restart(live_service: Live) -> None:
    file = live_service.settings.serving.rules_file
    before, first = file.read_text(), recommended(live_service, cart=[], k=5)[0]
    file.write_text(f"blocked:\n- select: {{products: [{first!r}]}}\n")
    wait_until(lambda: first not in recommended(live_service, cart=[], k=5))
    file.write_text("caps: {brand: few}\n")
    wait_until(lambda: service_area(live_service.settings).state == "stale")
    file.write_text(before)
    wait_until(lambda: first in recommended(live_service, cart=[], k=5))
    assert service_area(live_service.settings).state == "ok"


def test_identify_lets_a_session_benefit_from_the_shoppers_habits(live_service: Live) -> None:
    session, shopper = uuid.uuid4().hex, load_history(live_service.settings.work.data).shopper_ids[0]
    known = recommended(live_service, shopper_id=shopper, cart=[], k=5)
    assert known != recommended(live_service, cart=[], k=5)
    live_service.post(
        "/v1/identify", {"anonymousId": session, "userId": shopper, "context": {"sessionId": session}}
    ).raise_for_status()
    wait_until(lambda: recommended(live_service, session_id=session, k=5) == known)


def test_a_whole_batch_is_accepted_at_once(live_service: Live) -> None:
    session = uuid.uuid4().hex
    products = recommended(live_service, cart=[], k=3)
    calls = [
        {
            "type": "track",
            "event": "Product Added",
            "anonymousId": session,
            "context": {"sessionId": session},
            "properties": {"product_id": product},
        }
        for product in products
    ]
    assert live_service.post("/v1/batch", {"batch": calls}).json() == {"success": True, "accepted": 3, "rejected": []}
    wait_until(lambda: not set(recommended(live_service, session_id=session, k=20)) & set(products))


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({"k": 3}, "body"),
        ({"cart": [], "arm": "magic"}, "arm"),
        ({"cart": [], "k": 51}, "k"),
        ({"cart": [], "k": 0}, "k"),
        ({"cart": [{"product_id": str(n)} for n in range(201)]}, "cart"),
        ({"cart": [], "at": "2017-12-05T10:00:00"}, "at"),
        ({"cart": [{"product_id": 5}]}, "cart[0].product_id"),
        ({"cart": [{"product_id": "a", "quantity": -1}]}, "cart[0].quantity"),
        ({"session_id": "x" * 300}, "session_id"),
        ({"cart": [], "colour": "red"}, "body"),
    ],
    ids=str,
)
def test_a_wrong_request_is_answered_with_field_and_reason(
    live_service: Live, request_body: dict[str, Any], field: str
) -> None:
    answer = live_service.post("/v1/recommendations", request_body)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == field
    assert answer.json()["error"]["reason"]


HOSTILE: list[bytes] = [
    b"",
    b"null",
    b"[]",
    b"{",
    b"\x00\x01\xff",
    b'{"cart": "milk"}',
    b'{"cart": [], "k": 1e400}',
    b'{"session_id": "\\u0000"}',
    b'{"cart": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    json.dumps({"cart": [{"product_id": "p"}] * 10_000}).encode(),
    json.dumps({"session_id": "séance-☃", "cart": [{"product_id": "продукт"}]}).encode(),
]


@pytest.mark.parametrize("path", ["/v1/recommendations", "/v1/track", "/v1/identify", "/v1/batch"])
@pytest.mark.parametrize("body", HOSTILE, ids=lambda body: repr(body[:24]))
def test_no_body_makes_the_service_stumble(live_service: Live, path: str, body: bytes) -> None:
    for kind in ("application/json", "text/plain"):
        answer = httpx.post(live_service.url + path, content=body, headers={"Content-Type": kind}, timeout=30)
        assert answer.status_code in {200, 400}
        if answer.status_code == 400:
            assert set(answer.json()["error"]) == {"field", "reason"}


@pytest.mark.parametrize("path", ["/v1/recommendations", "/v1/track", "/v1/batch"])
def test_a_body_that_is_too_large_is_refused(live_service: Live, path: str) -> None:
    answer = httpx.post(live_service.url + path, content=b"x" * 600_000, timeout=30)
    assert answer.status_code == 413
    assert answer.json()["error"]["reason"]
