"""Segment's public clients, pointed at us by their host option, work unchanged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from segment.analytics.client import Client

from configs import load_settings
from events.contract import Event, Line
from tests.support.access import key
from tests.support.collecting import Collecting, collecting

CLIENTS = Path(__file__).parents[1] / "clients"
KEY = "a write key"


@pytest.fixture
def collector(redis_url: str) -> Iterator[Collecting]:
    """A collector that asks for a write key."""
    settings = load_settings(
        redis={"url": redis_url}, access={"keys": [key("another", "collect"), key("shop", "collect", secret=KEY)]}
    )
    with collecting(settings) as running:
        yield running


def by_name(events: list[Event]) -> dict[str, Event]:
    return {event.name: event for event in events}


def send_from_python(url: str, key: str, *, gzip: bool) -> list[Exception]:
    """Send one call of each kind; return the errors that the client met."""
    met: list[Exception] = []
    client = Client(key, host=url, gzip=gzip, max_retries=0, on_error=lambda error, _: met.append(error))
    minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    added: dict[str, Any] = {"product_id": "p1", "price": 2.5, "quantity": 2}
    client.page(anonymous_id="visitor", name="Home")
    client.track(anonymous_id="visitor", event="Product Added", properties=added, timestamp=minute_ago)
    client.identify(user_id="shopper", anonymous_id="visitor", traits={"plan": "gold", "since": minute_ago})
    client.alias(previous_id="visitor", user_id="shopper")
    client.screen(user_id="shopper", name="Cart")
    client.group(user_id="shopper", group_id="club")
    client.track(user_id="shopper", event="Order Completed", properties={"order_id": 7, "products": [added]})
    client.track(user_id="shopper", event="Order Completed", properties={"products": [added]})
    client.flush()
    client.join()
    return met


@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_the_python_client_works_unchanged(collector: Collecting, gzip: bool) -> None:
    assert send_from_python(collector.url, KEY, gzip=gzip) == []
    found = by_name(collector.events())
    assert set(found) == {"page", "Product Added", "identify", "alias", "screen", "group", "Order Completed"}
    added = found["Product Added"]
    assert (added.lines, added.anonymous_id) == ((Line("p1", 2.0, 2.5),), "visitor")
    assert abs(added.occurred_at - (time.time() - 60)) < 20
    assert found["identify"].traits["plan"] == "gold"
    assert (found["alias"].previous_id, found["alias"].shopper_id) == ("visitor", "shopper")
    order = found["Order Completed"].order
    assert order is not None
    assert order.order_id == "7"
    assert [letter.field for letter in collector.dead_letters()] == ["batch[7].properties.order_id"]


def test_the_python_client_learns_of_a_wrong_key(collector: Collecting) -> None:
    (error, *_) = send_from_python(collector.url, "wrong", gzip=False)
    assert "401" in str(error)
    assert (collector.events(), collector.dead_letters()) == ([], [])


@pytest.fixture(scope="session")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with Segment's Node client in it, installed in exactly the version of package.json."""
    if not (shutil.which("node") and shutil.which("npm")):
        if os.environ.get("CI") == "true":
            pytest.fail("node and npm are not installed, and continuous integration needs them: apt-get install npm")
        pytest.skip("node and npm are not installed (Debian: apt-get install npm)")
    folder = tmp_path_factory.mktemp("node-client")
    for name in ("package.json", "package-lock.json", "send.mjs"):
        shutil.copy(CLIENTS / name, folder)
    install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = f"npm could not install the Node client: {(done.stderr.strip() or done.stdout).splitlines()[-1]}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return folder


def send_from_node(folder: Path, url: str, key: str) -> list[str]:
    """Send one call of each kind; return the errors that the client met."""
    done = subprocess.run(
        ["node", "send.mjs", url, key], cwd=folder, capture_output=True, text=True, check=True, timeout=60
    )
    errors: list[str] = json.loads(done.stdout.splitlines()[-1])
    return errors


def test_the_node_client_works_unchanged(collector: Collecting, node_client: Path) -> None:
    assert send_from_node(node_client, collector.url, KEY) == []
    found = by_name(collector.events())
    assert set(found) == {"page", "Product Added", "identify", "alias", "screen", "group", "Order Completed"}
    assert found["Product Added"].lines == (Line("p1", 2.0, 2.5),)
    assert abs(found["Product Added"].occurred_at - (time.time() - 60)) < 20
    assert found["identify"].traits == {"plan": "gold"}
    assert found["alias"].previous_id == "node-visitor"
    assert collector.dead_letters() == []


def test_the_node_client_learns_of_a_wrong_key(collector: Collecting, node_client: Path) -> None:
    assert send_from_node(node_client, collector.url, "wrong") != []
    assert collector.events() == []
