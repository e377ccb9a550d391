"""The feature store's edge: point-in-time joins for training, materialization to Redis for serving.

Feast is imported here and in `features.feast_repo` only, and only when a function is called: it takes seconds and
hundreds of megabytes. Online reads in the request path go through `features.online` instead.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from configs import Progress, Settings, StageReport
from configs.errors import DataError, NotBuiltError, PartError
from configs.home import read_json
from events.suppression import digest, suppressed_until
from features.history import Catalogue
from features.lean_feast import lean_feast
from features.offline import STATES, VIEWS
from features.online import ShopperReader
from features.products import ProductStats
from features.records import PROFILE, PURCHASES, from_record
from features.services import PRODUCTS_SERVICE, PROJECT, TRAINING_SERVICE
from features.shopper import ShopperState

if TYPE_CHECKING:
    from feast import FeatureStore
    from pandas import DataFrame

MARKER = "tillwise:features:materialized"
"""Redis key that says which feature tables lie in this Redis; gone when Redis lost its data."""


def open_store(settings: Settings) -> FeatureStore:
    """Return the Feast store over the built tables, its registry up to date.

    Raises:
        NotBuiltError: the offline tables have not been built.
    """
    features_record(settings)
    with warnings.catch_warnings():
        # Feast's own imports use names that its dependencies deprecate.
        warnings.simplefilter("ignore")
        with lean_feast():
            from feast import FeatureStore, RepoConfig

            from features.feast_repo import definitions

        folder = settings.work.features
        config = RepoConfig(
            project=PROJECT,
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": "dask"},
            online_store={"type": "redis", "connection_string": _connection(settings.redis_url)},
            entity_key_serialization_version=3,
        )
        store = FeatureStore(config=config)
        store.apply(definitions(folder))
    return store


def features_record(settings: Settings) -> dict[str, Any]:
    """Return what the `features` stage recorded: data fingerprint, cutoffs, as_of.

    Raises:
        NotBuiltError: the stage has not run.
    """
    record: dict[str, Any] | None = read_json(settings.work.features / "features.json")
    if record is None:
        raise NotBuiltError(f"No features lie in {settings.work.features}: run `tillwise features` first.")
    return record


def shopper_states(
    settings: Settings, store: FeatureStore, shoppers: Sequence[str], moments: NDArray[np.int64]
) -> list[ShopperState]:
    """Return each shopper's state from orders strictly before the moment beside it, by Feast's point-in-time join.

    Feast joins the narrow profile; the wide purchase tables are then read from the snapshot rows it chose (joined
    through Feast itself they took 60 s and 4 GB for 10,000 cases, against 4 s).

    Args:
        settings: where the offline tables lie.
        store: an open store.
        shoppers: shopper ids, one a case; unknown ones give the empty state.
        moments: int64[cases], unix seconds, not before the first training cutoff.

    Raises:
        DataError: the store returned another number of rows than it was asked for.
    """
    import pandas as pd

    asked = pd.DataFrame({"shopper_id": list(shoppers), "seconds": moments}).drop_duplicates()
    # A row stamped t includes the order at t, and stamps are whole seconds: ask for the second before.
    asked["event_timestamp"] = pd.to_datetime(asked["seconds"] - 1, unit="s", utc=True)
    found = _join(store, asked, TRAINING_SERVICE)
    known = found[found["snapshot"].notna()]
    names = [column.name for column in PROFILE]
    narrow = (dict(zip(names, row, strict=True)) for row in zip(*(known[name] for name in names), strict=True))
    wide = _wide_records(settings, known["snapshot"].to_numpy(np.int64))
    case_of = zip(known["shopper_id"], known["seconds"], strict=True)
    states = {case: from_record(profile | tables) for case, profile, tables in zip(case_of, narrow, wide, strict=True)}
    unknown = ShopperState.empty()
    return [states.get((who, int(moment)), unknown) for who, moment in zip(shoppers, moments, strict=True)]


def _wide_records(settings: Settings, rows: NDArray[np.int64]) -> Iterator[dict[str, bytes]]:
    """Return the purchase tables in the given rows of the snapshot file, in the rows' order.

    Read by row group, so that memory holds what was asked for and not the whole file.
    """
    import pyarrow.parquet as pq

    names = [column.name for column in PURCHASES]
    wanted, found = np.unique(rows), dict[int, dict[str, bytes]]()
    with pq.ParquetFile(settings.work.features / STATES) as file:
        first = 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            here = wanted[(wanted >= first) & (wanted < first + size)]
            if here.size:
                records = file.read_row_group(group, columns=names).take(here - first).to_pylist()
                found |= zip(here.tolist(), records, strict=True)
            first += size
    return (found[row] for row in rows.tolist())


def _join(store: FeatureStore, asked: DataFrame, service: str) -> DataFrame:
    with warnings.catch_warnings():
        # Feast's dask store concatenates with dtypes that pandas deprecates.
        warnings.simplefilter("ignore")
        found: DataFrame = store.get_historical_features(asked, store.get_feature_service(service)).to_df()
    if len(found) != len(asked):
        raise DataError(f"The feature store returned {len(found)} rows for {len(asked)} distinct cases.")
    return found


def product_stats_at(store: FeatureStore, catalogue: Catalogue, as_of: int) -> ProductStats:
    """Return every product's statistics as known just before `as_of` (unix seconds), by Feast's join.

    Products never sold by then have 0 orders and popularity, and NaN elsewhere.

    Raises:
        DataError: the store returned another number of rows than it was asked for.
    """
    import pandas as pd

    asked = pd.DataFrame({"product_id": list(catalogue.ids)})
    asked["event_timestamp"] = datetime.fromtimestamp(as_of - 1, UTC)
    found = _join(store, asked, PRODUCTS_SERVICE)
    found = found.set_index("product_id").loc[list(catalogue.ids)]
    columns = {name: found[name].to_numpy(np.float32) for name in ProductStats.names()}
    for name in ("orders", "popularity"):
        columns[name] = np.nan_to_num(columns[name])
    return ProductStats(**columns)


def materialize(settings: Settings, progress: Progress) -> StageReport:
    """Write the newest offline row up to the serving cutoff of every shopper and product to Redis.

    Raises:
        NotBuiltError: the offline tables have not been built.
        PartError: Redis does not answer.
    """
    record = features_record(settings)
    progress.update("opening the feature store", 0.0)
    client = _redis(settings)
    store = open_store(settings)
    until = datetime.fromtimestamp(record["as_of"], UTC)
    for done, view in enumerate(VIEWS):
        progress.update(f"materializing {view}", 0.1 + 0.9 * done / len(VIEWS))
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):  # Feast prints its own progress
            warnings.simplefilter("ignore")
            store.materialize(datetime(1970, 1, 2, tzinfo=UTC), until, feature_views=[view])
        forgotten = _leave_out_suppressed(settings, client)
    client.set(MARKER, _marker(record))
    return StageReport(
        "materialize",
        read={f"{name} rows up to {until:%Y-%m-%d %H:%M} UTC": rows for name, rows in record["rows"].items()},
        wrote={"Redis keys": int(client.dbsize())},
        notes=[f"{forgotten:,} shoppers left out, who were erased after their newest order"] if forgotten else [],
        metrics={"as_of": record["as_of"]},
    )


def _leave_out_suppressed(settings: Settings, client: Any) -> int:
    """Delete from Redis who was erased after the newest order that these features know; return how many that are.

    Ingest leaves them out as well, but features may be older than the wish.
    """
    until = suppressed_until(settings.work.suppressed)
    if not until:
        return 0
    import pyarrow.parquet as pq

    rows = pq.read_table(
        settings.work.features / "shopper_purchases.parquet", columns=["shopper_id", "event_timestamp"]
    )
    reader = ShopperReader()
    keys = [
        reader.key(row["shopper_id"])
        for row in rows.to_pylist()
        if row["event_timestamp"].timestamp() <= until.get(digest(row["shopper_id"]), 0.0)
    ]
    if keys:
        client.delete(*keys)
    return len(keys)


def is_materialized(settings: Settings) -> bool:
    """Return whether this Redis holds exactly the features that are built now.

    Raises:
        NotBuiltError: the offline tables have not been built.
        PartError: Redis does not answer.
    """
    held = _redis(settings).get(MARKER)
    return bool(held == _marker(features_record(settings)).encode())


def _marker(record: dict[str, Any]) -> str:
    return f"{record['fingerprint']}@{record['as_of']}"


def _redis(settings: Settings) -> Any:
    import redis

    client = redis.Redis.from_url(settings.redis_url, socket_timeout=30, socket_connect_timeout=5)
    try:
        client.ping()
    except redis.RedisError as error:
        raise PartError(
            f"Redis does not answer at {settings.redis_url} ({error}): start it with `tillwise up`, or name a "
            "running one with TILLWISE_REDIS__URL."
        ) from None
    return client


def _connection(url: str) -> str:
    """Return Feast's form of a Redis URL: host:port,db=0,password=…"""
    parts = urlsplit(url)
    options = [f"{parts.hostname}:{parts.port or 6379}", f"db={parts.path.strip('/') or 0}"]
    options += [f"username={parts.username}"] if parts.username else []
    options += [f"password={parts.password}"] if parts.password else []
    options += ["ssl=True"] if parts.scheme == "rediss" else []
    return ",".join(options)


__all__ = [
    "MARKER",
    "features_record",
    "is_materialized",
    "materialize",
    "open_store",
    "product_stats_at",
    "shopper_states",
]
