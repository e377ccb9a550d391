"""The checkout page as a shopper uses it, in a real browser against the live service."""

from __future__ import annotations

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.support.live import Live

pytestmark = [pytest.mark.browser, pytest.mark.e2e]


def products(page: Page, block: str) -> list[str]:
    """Return the product ids that a block shows."""
    ids: list[str] = page.locator(f"#{block} li[data-product-id]").evaluate_all(
        "all => all.map(e => e.dataset.productId)"
    )
    return ids


def open_page(page: Page, live: Live) -> None:
    """Open the page and wait until it has found and recommended products."""
    page.goto(live.url)
    expect(page.locator("#found li[data-product-id]").first).to_be_visible()
    expect(page.locator("#recommendations li[data-product-id]").first).to_be_visible()


def add_first(page: Page, block: str) -> str:
    """Add a block's first product that is not in the cart yet; return its id once it lies in the cart."""
    product = next(item for item in products(page, block) if item not in products(page, "cart"))
    page.locator(f'#{block} li[data-product-id="{product}"] button').click()
    expect(page.locator(f'#cart li[data-product-id="{product}"]')).to_be_visible()
    return product


def test_a_shopper_fills_a_cart_takes_a_recommendation_and_orders(page: Page, live_service: Live) -> None:
    open_page(page, live_service)
    assert not products(page, "cart")
    before = products(page, "recommendations")
    with page.expect_response("**/v1/recommendations"):
        add_first(page, "found")
    with page.expect_response("**/v1/recommendations"):
        add_first(page, "found")
    expect(page.locator("#recommendations li[data-product-id]")).to_have_count(6)
    after = products(page, "recommendations")
    assert after != before
    assert not set(after) & set(products(page, "cart"))

    with page.expect_response("**/v1/recommendations"):
        taken = add_first(page, "recommendations")
    assert taken not in products(page, "recommendations")
    assert len(products(page, "cart")) == 3
    expect(page.locator("#total")).to_contain_text("$")

    page.locator("#order").click()
    expect(page.locator("#confirmation")).to_contain_text("order of 3 products is placed")
    assert not products(page, "cart")
    expect(page.locator("#order")).to_be_disabled()


def test_searching_narrows_what_is_found(page: Page, live_service: Live) -> None:
    open_page(page, live_service)
    title = page.locator("#found .title").nth(3).inner_text()
    page.get_by_label("Search").fill(title)
    expect(page.locator("#found .title").first).to_have_text(title)
    page.get_by_label("Search").fill("no such thing at all")
    expect(page.locator("#found")).to_contain_text("No product matches")


def test_a_known_shopper_is_recommended_habits(page: Page, live_service: Live) -> None:
    open_page(page, live_service)
    from features.history import load_history

    page.get_by_label("Shopper id").fill(load_history(live_service.settings.work.data).shopper_ids[0])
    page.get_by_role("button", name="Use").click()
    expect(page.locator("#recommendations")).to_contain_text("You ")


def test_less_of_a_product_takes_it_out_of_the_cart(page: Page, live_service: Live) -> None:
    open_page(page, live_service)
    product = add_first(page, "found")
    row = page.locator(f'#cart li[data-product-id="{product}"]')
    row.get_by_role("button", name="One more").click()
    expect(row.locator(".count")).to_have_text("2")
    row.get_by_role("button", name="One less").click()
    row.get_by_role("button", name="One less").click()
    expect(row).to_have_count(0)
    expect(page.locator("#cart-empty")).to_be_visible()


def test_a_service_that_is_gone_is_told_in_plain_words(page: Page, live_service: Live) -> None:
    open_page(page, live_service)
    page.route("**/v1/**", lambda route: route.abort())
    page.locator("#found button").first.click()
    expect(page.get_by_role("alert")).to_contain_text("does not answer")
    page.unroute("**/v1/**")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_without_a_write_key_where_one_is_asked_for_shopping_goes_on_and_the_page_says_so(
    page: Page, live_service: Live
) -> None:
    page.route("**/v1/track", lambda route: route.fulfill(status=401, json={"error": {"field": "k", "reason": "no"}}))
    open_page(page, live_service)
    with page.expect_response("**/v1/recommendations"):
        add_first(page, "found")
    expect(page.locator("#served")).to_contain_text("this page has no write key")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_page_that_was_handed_a_write_key_sends_it_with_every_event(page: Page, live_service: Live) -> None:
    html = httpx.get(live_service.url).text.replace(
        'name="write-key" content=""', 'name="write-key" content="k&quot;1"'
    )
    page.route(f"{live_service.url}/", lambda route: route.fulfill(content_type="text/html", body=html))
    open_page(page, live_service)
    with page.expect_request("**/v1/track") as told:
        add_first(page, "found")
    assert told.value.post_data_json["writeKey"] == 'k"1'
    page.get_by_label("Shopper id").fill("somebody")
    with page.expect_request("**/v1/identify") as told:
        page.get_by_role("button", name="Use").click()
    assert told.value.post_data_json["writeKey"] == 'k"1'
