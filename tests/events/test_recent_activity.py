"""What a session record tells of recent activity."""

from __future__ import annotations

import random

from events.contract import Event, OrderFacts
from events.session import Limits, SessionRecord, recent_of
from tests.events.builders import NOW, event

LIMITS = Limits(events=50, products=20)


def recent_after(*events: Event) -> list[tuple[str, float, str]]:
    return sorted(recent_of(SessionRecord().after(events, LIMITS)))


def test_views_clicks_and_cart_changes_are_told_with_their_moments() -> None:
    told = recent_after(
        event("Product Viewed", "a", at=NOW, message="1"),
        event("Product Clicked", "a", at=NOW + 1, message="2"),
        event("Product Added", "b", "c", at=NOW + 2, message="3"),
        event("Something Else", "d", at=NOW + 3, message="4"),
    )
    assert told == [("a", NOW, "view"), ("a", NOW + 1, "view"), ("b", NOW + 2, "add"), ("c", NOW + 2, "add")]


def test_of_a_product_only_the_newest_cart_change_is_told() -> None:
    events = [
        event("Product Added", "a", at=NOW, message="1"),
        event("Product Removed", "a", at=NOW + 1, message="2"),
        event("Product Removed", "b", at=NOW + 2, message="3"),
        event("Product Added", "b", at=NOW + 3, message="4"),
    ]
    expected = [("a", NOW + 1, "remove"), ("b", NOW + 3, "add")]
    assert recent_after(*events) == expected
    for seed in range(5):
        assert recent_after(*random.Random(seed).sample(events * 2, 8)) == expected


def test_an_order_ends_what_was_before_it() -> None:
    told = recent_after(
        event("Product Viewed", "a", at=NOW, message="1"),
        event("Product Added", "a", at=NOW + 1, message="2"),
        event("Order Completed", "a", at=NOW + 2, message="3", order=OrderFacts("o")),
        event("Product Viewed", "b", at=NOW + 3, message="4"),
    )
    assert told == [("b", NOW + 3, "view")]


def test_nothing_is_told_of_an_empty_record() -> None:
    assert recent_after() == []
