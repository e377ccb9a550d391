"""What a shopper looks at changes the next answer of the arm `signals`."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from tests.support.live import Live
from tests.support.waiting import wait_until

pytestmark = pytest.mark.e2e


def answered(live: Live, session: str) -> list[dict[str, Any]]:
    answer = live.post("/v1/recommendations", {"session_id": session, "k": 5, "arm": "signals"})
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def track(live: Live, session: str, event: str, product: str) -> None:
    body = {
        "event": event,
        "anonymousId": session,
        "context": {"sessionId": session},
        "properties": {"product_id": product},
    }
    assert live.post("/v1/track", body).json() == {"success": True}


def test_a_product_viewed_leads_the_next_answer_and_so_does_what_goes_with_it(live_service: Live) -> None:
    session = uuid.uuid4().hex
    before = answered(live_service, session)
    assert all("looked" not in item["reason"] for item in before)
    shown = {item["product_id"] for item in before}
    listed = live_service.get("/v1/products", limit=50).json()["items"]
    other = next(item["product_id"] for item in listed if item["product_id"] not in shown and item["in_stock"])

    track(live_service, session, "Product Viewed", other)
    wait_until(lambda: answered(live_service, session)[0]["product_id"] == other)
    after = answered(live_service, session)
    assert after[0]["reason"] == "You looked at this just now"
    assert any(item["reason"].startswith(("Goes with", "More like")) for item in after[1:])
