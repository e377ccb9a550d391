"""The feature store: Feast's joins and online rows are the fold itself, without leakage or loss."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from configs import Settings, SilentProgress
from configs.errors import NotBuiltError, PartError
from events.suppression import digest
from features.history import load_history
from features.online import ShopperReader
from features.records import PROFILE
from features.services import SHOPPER_SERVICE
from features.shopper import ShopperState, fold
from features.store import (
    features_record,
    is_materialized,
    materialize,
    open_store,
    product_stats_at,
    shopper_states,
)
from tests.support.ports import free_port
from tests.support.shop import shop_settings


def same(one: ShopperState, other: ShopperState) -> bool:
    tables = ((one.products, other.products), (one.categories, other.categories), (one.brands, other.brands))
    return all(getattr(one, column.name) == getattr(other, column.name) for column in PROFILE) and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for a, b in tables for name in a.__slots__
    )


def test_the_point_in_time_join_equals_the_fold_over_earlier_orders(built_shop: Settings) -> None:
    history = load_history(built_shop.work.data)
    since = features_record(built_shop)["cutoffs"][0]
    orders = np.flatnonzero(history.at >= since)[::7]
    shoppers = [history.shopper_ids[history.shopper[order]] for order in orders]
    joined = shopper_states(built_shop, open_store(built_shop), shoppers, history.at[orders])
    for order, state in zip(orders, joined, strict=True):
        earlier = np.flatnonzero((history.shopper == history.shopper[order]) & (history.at < history.at[order]))
        assert same(state, fold((history.order(int(i)) for i in earlier), built_shop.features))


def test_rows_in_equal_rows_out_for_repeated_and_unknown_shoppers(built_shop: Settings) -> None:
    history = load_history(built_shop.work.data)
    moment = int(history.at[-1])
    asked = [history.shopper_ids[0], "nobody", history.shopper_ids[0]]
    states = shopper_states(built_shop, open_store(built_shop), asked, np.full(3, moment))
    assert same(states[0], states[2])
    assert states[0].orders > 0
    assert states[1].orders == 0


def test_product_statistics_come_back_as_they_were_written(built_shop: Settings) -> None:
    from features.products import ProductStats, product_stats

    history = load_history(built_shop.work.data)
    for cutoff in features_record(built_shop)["cutoffs"]:
        joined = product_stats_at(open_store(built_shop), history.catalogue, cutoff)
        expected = product_stats(history, cutoff, built_shop.features)
        for name in ProductStats.names():
            np.testing.assert_allclose(getattr(joined, name), getattr(expected, name), rtol=1e-6)


def test_online_features_equal_offline_ones_and_feasts_own_reader(built_shop: Settings, redis_url: str) -> None:
    import redis

    settings = built_shop.model_copy(update={"redis": built_shop.redis.model_copy(update={"url": redis_url})})
    assert not is_materialized(settings)
    materialize(settings, SilentProgress())
    assert is_materialized(settings)
    store = open_store(settings)
    ids = load_history(settings.work.data).shopper_ids[:20]
    offline = shopper_states(settings, store, ids, np.full(len(ids), features_record(settings)["as_of"]))
    reader = ShopperReader()
    with redis.Redis.from_url(redis_url) as client:
        online = [reader.decode(client.hmget(reader.key(who), reader.fields)) for who in ids]
        unknown = reader.decode(client.hmget(reader.key("nobody"), reader.fields))
        client.flushall()
        assert not is_materialized(settings)
        materialize(settings, SilentProgress())
    assert all(same(one, other) for one, other in zip(online, offline, strict=True))
    assert same(unknown, ShopperState.empty())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        service = store.get_feature_service(SHOPPER_SERVICE)
        theirs = store.get_online_features(service, [{"shopper_id": who} for who in ids]).to_dict()
    assert theirs["orders"] == [state.orders for state in online]
    assert theirs["products"] == [state.products.pack() for state in online]


def test_whoever_was_erased_is_not_materialized_unless_they_bought_again(
    built_shop: Settings, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    settings = built_shop.model_copy(update={"redis": built_shop.redis.model_copy(update={"url": redis_url})})
    as_of = features_record(settings)["as_of"]
    history = load_history(settings.work.data)
    buyers = {history.shopper_ids[who] for who in history.shopper[history.at < as_of].tolist()}
    gone, back, other = sorted(buyers)[:3]
    wishes = {digest(gone): float(as_of), digest(back): float(history.at[0] - 1)}
    monkeypatch.setattr("features.store.suppressed_until", lambda file: wishes)
    report = materialize(settings, SilentProgress())
    reader = ShopperReader()
    with redis.Redis.from_url(redis_url) as client:
        assert [client.exists(reader.key(who)) for who in (gone, back, other)] == [0, 1, 1]
    assert report.notes == ["1 shoppers left out, who were erased after their newest order"]


def test_garbage_in_an_online_row_is_a_clear_error() -> None:
    reader = ShopperReader()
    with pytest.raises(PartError, match="tillwise materialize"):
        reader.decode([b"\xff\xfe garbage"] * len(reader.fields))


def test_redis_that_does_not_answer_is_a_clear_error(built_shop: Settings) -> None:
    redis = built_shop.redis.model_copy(update={"url": f"redis://127.0.0.1:{free_port()}/0"})
    with pytest.raises(PartError, match="TILLWISE_REDIS__URL"):
        materialize(built_shop.model_copy(update={"redis": redis}), SilentProgress())


def test_features_that_were_not_built_name_the_command(tmp_path_factory: pytest.TempPathFactory) -> None:
    with pytest.raises(NotBuiltError, match="tillwise features"):
        open_store(shop_settings(tmp_path_factory.mktemp("empty")))
