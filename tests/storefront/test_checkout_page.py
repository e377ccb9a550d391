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


def test_without_a_key_where_one_is_asked_for_shopping_goes_on_and_the_page_says_so(
    page: Page, live_service: Live
) -> None:
    page.route("**/v1/track", lambda route: route.fulfill(status=401, json={"error": {"field": "k", "reason": "no"}}))
    open_page(page, live_service)
    with page.expect_response("**/v1/recommendations"):
        add_first(page, "found")
    expect(page.locator("#served")).to_contain_text("this page has no key for it")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_page_that_was_handed_a_key_sends_it_with_what_it_tells_and_asks_but_not_for_what_all_may_see(
    page: Page, live_service: Live
) -> None:
    html = httpx.get(live_service.url).text.replace(
        'name="access-key" content=""', 'name="access-key" content="k&quot;1"'
    )
    page.route(f"{live_service.url}/", lambda route: route.fulfill(content_type="text/html", body=html))
    with page.expect_request("**/v1/products*") as seen:
        open_page(page, live_service)
    assert "authorization" not in seen.value.all_headers()
    for path, click in (("track", "#found button"), ("recommendations", "#found button")):
        with page.expect_request(f"**/v1/{path}") as told:
            page.locator(click).first.click()
        assert told.value.all_headers()["authorization"] == 'Bearer k"1'


def test_the_page_obeys_its_own_content_security_policy_and_code_put_into_it_does_not_run(
    page: Page, live_service: Live
) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    open_page(page, live_service)
    assert not [text for text in complaints if "Content Security Policy" in text]
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x: onerror=\"document.title = 1\">')")
    page.wait_for_function("performance.now() > 0")
    assert page.title() == "Checkout · Tillwise demo shop"
    assert [text for text in complaints if "Content Security Policy" in text]
