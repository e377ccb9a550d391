"""`--until` builds as if that day were today; `--as-of` moves the cutoff and keeps what follows."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow.parquet as pq
import pytest

from configs import Settings, SilentProgress, StageReport, load_settings
from configs.errors import ConfigError, DataError
from configs.home import read_json
from features.data.ingest import ingest
from features.history import load_history
from features.offline import build_features
from pipelines.fingerprint import fingerprints
from pipelines.stages import STAGES
from tests.support.shop import CORNER_SHOP, QUICK, shop_settings, train_all
from training.evaluation.stage import evaluate
from training.package import ModelPackage
from training.protocol import held_out_cases

ZONE = ZoneInfo("Europe/Amsterdam")
DAY = date(2024, 4, 20)
MIDNIGHT = int(datetime(2024, 4, 20, tzinfo=ZONE).timestamp())
SILENT = SilentProgress()


def windows(**changed: date) -> dict[str, object]:
    """Return the corner shop's windows section with another cutoff."""
    return QUICK["windows"] | changed


def quick(**changed: date) -> dict[str, Any]:
    """Return what differs from the corner shop's settings: a cutoff, and a model that is quickly trained."""
    return QUICK | {"windows": windows(**changed)}


def build(settings: Settings) -> StageReport:
    """Build a model and return what ingest reported."""
    report = ingest(settings, SILENT)
    build_features(settings, SILENT)
    train_all(settings)
    return report


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, StageReport]:
    """A model built from the whole export with `until`, and what ingest reported."""
    settings = shop_settings(tmp_path_factory.mktemp("cut"), **quick(until=DAY))
    return settings, build(settings)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A model built with `as_of`, later orders kept."""
    settings = shop_settings(tmp_path_factory.mktemp("kept"), **quick(as_of=DAY))
    build(settings)
    return settings


def export_that_ends(folder: Path) -> Path:
    """Write the corner shop's export as it was on the evening before DAY; return its mapping."""
    source = CORNER_SHOP.parent / "corner_shop"
    shutil.copytree(source, folder / "corner_shop")
    tickets = pd.read_csv(source / "tickets.csv", dtype=str)
    earlier = pd.to_datetime(tickets["sold_at"], utc=True, format="ISO8601", errors="coerce") < pd.Timestamp(
        DAY, tz=ZONE
    )
    lines = pd.read_csv(source / "ticket_lines.csv", dtype=str)
    tickets[earlier].to_csv(folder / "corner_shop" / "tickets.csv", index=False)
    lines[lines["ticket"].isin(tickets["ticket"][earlier])].to_csv(
        folder / "corner_shop" / "ticket_lines.csv", index=False
    )
    return Path(shutil.copy(CORNER_SHOP, folder))


def test_a_model_until_a_day_is_the_one_of_data_that_end_there(
    cut: tuple[Settings, StageReport], tmp_path: Path
) -> None:
    ended = shop_settings(tmp_path / "home", dataset=str(export_that_ends(tmp_path)), **quick(until=DAY))
    build(ended)
    for name in ("products", "orders", "order_lines", "shoppers"):
        tables = [pq.read_table(settings.work.data / f"{name}.parquet") for settings in (cut[0], ended)]
        assert tables[0].equals(tables[1]), name
    # The version is a digest of the whole package: statistics, partners, trees, cutoff.
    assert ModelPackage.load(cut[0].work.model).version == ModelPackage.load(ended.work.model).version


def test_ingest_leaves_out_and_counts_what_comes_after(cut: tuple[Settings, StageReport], built_shop: Settings) -> None:
    settings, report = cut
    whole, past = load_history(built_shop.work.data), load_history(settings.work.data)
    assert past.at.max() < MIDNIGHT <= whole.at.max()
    assert len(past) == (whole.at < MIDNIGHT).sum()
    assert report.metrics["after_until"]["orders"] >= len(whole) - len(past) > 0
    counted = f"orders: {report.metrics['after_until']['orders']:,} rows left out, of orders after --until 2024-04-20"
    assert counted in report.notes


def test_the_cutoff_is_the_shops_midnight(cut: tuple[Settings, StageReport], kept: Settings) -> None:
    for settings in (cut[0], kept):
        assert ModelPackage.load(settings.work.model).as_of == MIDNIGHT
        record = read_json(settings.work.features / "features.json")
        assert record["as_of"] == MIDNIGHT
        assert max(record["cutoffs"]) == MIDNIGHT


def test_keeping_later_orders_does_not_change_the_model(cut: tuple[Settings, StageReport], kept: Settings) -> None:
    without, with_later = (ModelPackage.load(settings.work.model) for settings in (cut[0], kept))
    assert with_later.gbm == without.gbm
    for name in without.matrix.stats.names():
        assert (getattr(with_later.matrix.stats, name)).tobytes() == getattr(without.matrix.stats, name).tobytes(), name


def test_nothing_is_left_to_evaluate_on_until_but_after_as_of(
    cut: tuple[Settings, StageReport], kept: Settings
) -> None:
    with pytest.raises(DataError, match=r"no orders after the model's cutoff 2024-04-19 22:00 UTC.*--as-of"):
        evaluate(cut[0], SILENT)
    with pytest.raises(DataError, match="nothing to evaluate on"):
        held_out_cases(cut[0])
    evaluate(kept, SILENT)
    moments = [case.placed_at for case in held_out_cases(kept, "loo")]
    assert MIDNIGHT <= min(moments) <= max(moments) < MIDNIGHT + 14 * 86_400
    assert read_json(kept.work.reports / "evaluation.json")["variants"]["loo"]["cases"] == len(moments)


@pytest.mark.parametrize("day", [date(2024, 1, 15), date(1999, 1, 1), date(2030, 1, 1)])
def test_a_day_outside_the_data_is_refused_with_the_datas_days(tmp_path: Path, built_shop: Settings, day: date) -> None:
    with pytest.raises(DataError, match=rf"--until\) {day} lies outside the data, whose orders are from 2024-01-15 to"):
        ingest(shop_settings(tmp_path / "until", windows=windows(until=day)), SILENT)
    (tmp_path / "as_of").mkdir()
    (tmp_path / "as_of" / "data").symlink_to(built_shop.work.data)
    with pytest.raises(DataError, match=rf"--as-of\) {day} lies outside the data"):
        build_features(shop_settings(tmp_path / "as_of", windows=windows(as_of=day)), SILENT)


def test_a_cutoff_too_early_to_train_says_so(tmp_path: Path, built_shop: Settings) -> None:
    (tmp_path / "data").symlink_to(built_shop.work.data)
    with pytest.raises(DataError, match="before the cutoff, but training needs more than 21"):
        build_features(shop_settings(tmp_path, windows=windows(as_of=date(2024, 2, 1))), SILENT)


def test_a_cutoff_after_the_datas_end_is_no_setting() -> None:
    with pytest.raises(ConfigError, match="as_of 2024-05-02 lies after until 2024-05-01"):
        load_settings(windows={"until": "2024-05-01", "as_of": "2024-05-02"})


def test_until_makes_ingest_stale_and_as_of_only_what_follows(tmp_path: Path) -> None:
    plain, until, as_of = (
        fingerprints(STAGES, shop_settings(tmp_path, windows=windows(**changed)))
        for changed in ({}, {"until": DAY}, {"as_of": DAY})
    )
    assert plain["ingest"] == as_of["ingest"] != until["ingest"]
    assert len({plain["features"], until["features"], as_of["features"]}) == 3


def test_the_variable_sets_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_WINDOWS__UNTIL", "2024-04-20")
    assert load_settings().windows.until == DAY
