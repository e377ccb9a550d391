"""Features logged at serving are those that the offline state of the same moment gives: bit for bit.

Serving reads Redis: what Feast materialized, live orders and carts that the consumer wrote, in one process after the
other. Here the same is built from what training has: Feast's point-in-time join over the offline tables, and the event
log that the recorder wrote. Assembled for the same candidates both are equal in every bit. Assembled for the shown
products alone, the five columns that are matrix products may differ in their last bits, because BLAS adds up in
another order for another number of rows; all others are equal in every bit even then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from configs import load_settings
from events.brokers import connect
from events.contract import Line
from events.record.database import open_database
from events.record.log import flush, log_folder, read_log
from events.record.writer import Writer
from events.shopper import CompletedOrder
from features.context import Context
from features.definitions import COLUMNS, assemble
from features.exposed import COLUMNS_DIGEST, unpack
from features.history import load_history
from features.live_orders import with_live_orders
from features.shopper import ShopperState
from features.store import features_record, open_store, shopper_states
from tests.support.live import Live
from tests.support.streaming import lag
from tests.support.waiting import wait_until
from training.candidates import generate
from training.package import ModelPackage

pytestmark = pytest.mark.e2e

MATRIX_PRODUCTS = {"vector_cart_mean", "vector_cart_max", "vector_cart_nearest", "vector_usual", "encoder_score"}
TOLERANCE = 1e-5
"""Relative and absolute, when features are assembled for other rows than at serving."""


def call(live: Live, kind: str, **body: Any) -> None:
    live.post(f"/v1/{kind}", body).raise_for_status()


def order(live: Live, who: dict[str, str], number: int, products: list[str]) -> None:
    lines = [{"product_id": one, "quantity": 1 + n, "price": 2.5 + n} for n, one in enumerate(products)]
    properties = {"order_id": f"{who}-{number}", "products": lines}
    call(live, "track", event="Order Completed", properties=properties, **who)


def asked(live: Live, **request: Any) -> str:
    """Return the id of a request that was answered without a fallback."""
    answer = live.post("/v1/recommendations", {"k": 10} | request).json()
    assert answer["fallback"] is None
    return str(answer["request_id"])


def recorded(live: Live, home: Path, requests: set[str]) -> pa.Table:
    """Return the event log that a recorder of its own writes, once it holds the exposures of the requests."""
    group = {"record_group": f"parity-{uuid.uuid4().hex[:6]}"}
    settings = load_settings(home=home, redis={"url": live.settings.redis_url}, events=group)
    engine = open_database(settings, write=True)

    async def until_all_are_there() -> pa.Table:
        async with connect(settings, settings.events.record_group) as broker:
            writer = Writer(settings, broker, engine)
            while True:
                await writer.step()
                log = read_log(engine, log_folder(settings))
                if requests <= set(log["request_id"].to_pylist()):
                    return log

    asyncio.run(until_all_are_there())
    flush(engine, log_folder(settings))
    log = read_log(engine, log_folder(settings))  # now out of Parquet
    engine.dispose()
    return log


def orders_in(log: pa.Table) -> Callable[[str], list[CompletedOrder]]:
    """Return what tells a user's orders out of the log, oldest first."""
    rows = [row for row in log.to_pylist() if row["name"] == "Order Completed"]

    def of(user: str) -> list[CompletedOrder]:
        return [
            CompletedOrder(
                row["occurred_at"].timestamp(),
                row["message_id"],
                row["order"]["order_id"],
                tuple(
                    Line(line["product_id"], line["quantity"], line["price"], line["discount"]) for line in row["lines"]
                ),
            )
            for row in rows
            if row["shopper_id"] == user
        ]

    return of


def same_bits(one: NDArray[np.float32], other: NDArray[np.float32]) -> bool:
    return one.shape == other.shape and one.tobytes() == other.tobytes()


def test_logged_features_are_the_offline_ones_of_the_same_moment(
    live_service: Live, package: ModelPackage, tmp_path: Path
) -> None:
    settings, ids = live_service.settings, package.products.ids
    known = load_history(settings.work.data).before(package.as_of).shopper_ids
    regular, bought_lately, visitor, nobody = known[3], known[5], known[7], "nobody-yet"
    session, anonymous = uuid.uuid4().hex, uuid.uuid4().hex
    order(live_service, {"userId": bought_lately, "anonymousId": anonymous}, 1, ids[4:9])
    order(live_service, {"userId": bought_lately, "anonymousId": anonymous}, 2, ids[8:10])
    order(live_service, {"userId": nobody, "anonymousId": "n"}, 1, ids[1:4])
    for product in ids[10:13]:
        there = {"anonymousId": session, "context": {"sessionId": session}}
        call(live_service, "track", event="Product Added", properties={"product_id": product}, **there)
    call(live_service, "identify", userId=visitor, anonymousId=session, context={"sessionId": session})
    wait_until(lambda: lag(settings).waiting == lag(settings).unacknowledged == 0)
    cart = [{"product_id": product} for product in ids[20:23]]
    requests = {
        asked(live_service, shopper_id=regular, cart=[]): regular,
        asked(live_service, shopper_id=regular, cart=cart): regular,
        asked(live_service, shopper_id=bought_lately, cart=cart): bought_lately,
        asked(live_service, shopper_id=nobody, cart=[]): nobody,
        asked(live_service, session_id=session): visitor,  # cart and shopper as the session knows them
        asked(live_service, cart=cart): None,
    }

    log = recorded(live_service, tmp_path, set(requests))
    told = {row["request_id"]: row["exposure"] for row in log.to_pylist() if row["kind"] == "exposure"}
    of = orders_in(log)
    users = [user for user in dict.fromkeys(requests.values()) if user is not None]
    as_of = np.full(len(users), features_record(settings)["as_of"], dtype=np.int64)
    offline = dict(zip(users, shopper_states(settings, open_store(settings), users, as_of), strict=True))
    assert {user: len(of(user)) for user in users} == {regular: 0, bought_lately: 2, nobody: 1, visitor: 0}
    assert [offline[user].orders > 0 for user in (regular, bought_lately, visitor, nobody)] == [True, True, True, False]

    differ: set[int] = set()
    for request, user in requests.items():
        exposure = told[request]
        state = ShopperState.empty() if user is None else offline[user]
        if user is not None:
            state = with_live_orders(state, of(user), package.matrix, exposure["now"])
        context = Context(package.matrix, state, package.matrix.rows(exposure["cart"]), exposure["now"])
        rows = np.array([package.matrix.row_of[line["product_id"]] for line in exposure["lines"]], dtype=np.int32)
        logged = unpack(exposure["features"], rows.size)
        assert exposure["columns"] == COLUMNS_DIGEST

        candidates = generate(context, package.candidates)
        assert same_bits(logged, assemble(context, candidates)[np.searchsorted(candidates, rows)])

        alone = assemble(context, rows)
        differ |= set(np.flatnonzero((logged.view(np.uint32) != alone.view(np.uint32)).any(axis=0)).tolist())
        np.testing.assert_allclose(logged, alone, rtol=TOLERANCE, atol=TOLERANCE)
    assert {COLUMNS[column] for column in differ} <= MATRIX_PRODUCTS
