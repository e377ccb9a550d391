"""Registering and promoting: idempotent, gated, recorded."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path

import pytest

from configs import Settings, SilentProgress, StageReport
from configs.errors import NotBuiltError, PromotionError, RegistryFailedError
from configs.home import read_json, write_json
from features.view_versions import view_versions
from pipelines.records import StageRecord, write_record
from tests.support.gate import COST, audited
from training.package import ModelPackage
from training.promotion import promote
from training.registry import champion, download, register, registry_client
from training.run_tags import FEATURES

QUIET = SilentProgress()

pytestmark = pytest.mark.usefixtures("quick_gate")


@pytest.fixture
def shop(built_shop: Settings, empty_registry: Path, tmp_path: Path) -> Settings:
    """Settings of a work folder with a model and its evaluation, but an empty registry."""
    shutil.copytree(built_shop.work.model, tmp_path / "model")
    shutil.copytree(built_shop.work.reports, tmp_path / "reports")
    shutil.copytree(empty_registry, tmp_path / "registry")
    settings = Settings(**(built_shop.model_dump() | {"home": tmp_path}))
    audited(settings)
    return settings


def worsen(settings: Settings) -> None:
    """Rewrite the evaluation so that the model is no better than popularity."""
    path = settings.work.reports / "evaluation.json"
    evaluation = read_json(path)
    arms = evaluation["variants"]["loo"]["arms"]
    arms["model"] = arms["popularity"]
    write_json(path, evaluation)


def test_registering_twice_makes_one_version(shop: Settings, package: ModelPackage) -> None:
    first, second = register(shop, QUIET), register(shop, QUIET)
    assert first.metrics == second.metrics == {"version": 1, "package": package.version}
    run = registry_client(shop).search_model_versions("")[0].run_id
    logged = registry_client(shop).get_run(run).data
    assert logged.metrics["loo.model.hit_rate"] > 0
    assert logged.metrics["loo.popularity.lead_hit_rate"] > 0
    kept = {item.path for item in registry_client(shop).list_artifacts(run)}
    assert {"evaluation.json", "model_card.md", "plots", "package"} <= kept
    assert logged.tags["data"] == package.data
    assert logged.params["training.trees"] == str(shop.training.trees)
    told = read_json(shop.work.reports / "evaluation.json")["variants"]["loo"]["arms"]["model"]["hit_rate"]
    ends = [logged.metrics[f"loo.model.hit_rate_ci_{end}"] for end in ("low", "high")]
    assert ends == pytest.approx(told["ci95"])
    assert logged.metrics["package.files.size_mb"] == COST.size_mb


def test_a_run_keeps_what_each_stage_took_and_which_feature_views_there_were(
    shop: Settings, built_shop: Settings
) -> None:
    shop.work.features.mkdir()
    for table in (*built_shop.work.features.glob("*.parquet"), *built_shop.work.features.glob("*.json")):
        (shop.work.features / table.name).symlink_to(table)
    report = StageReport("ingest")
    write_record(shop.work, StageRecord("made from", report, 12.5, 300.0, "2026-01-01T00:00:00+00:00"))
    register(shop, QUIET)
    logged = registry_client(shop).get_run(registry_client(shop).search_model_versions("")[0].run_id).data
    assert (logged.metrics["stage.ingest.seconds"], logged.metrics["stage.ingest.peak_mb"]) == (12.5, 300.0)
    views = json.loads(logged.tags[FEATURES])["views"]
    assert set(views) == {"shopper_profile", "shopper_purchases", "product_stats"}
    assert len(set(views.values())) == 3
    assert views == view_versions(built_shop)


def test_a_run_that_fails_on_its_way_becomes_no_version_and_leaves_no_files(
    shop: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "create_model_version", full)
        with pytest.raises(RegistryFailedError, match="no room left"):
            register(shop, QUIET)
    assert list((shop.work.registry / "artifacts").rglob("ranker.txt")) == []
    assert registry_client(shop).search_model_versions("") == []
    assert register(shop, QUIET).metrics["version"] == 1


def test_a_package_without_its_evaluation_is_not_registered(shop: Settings) -> None:
    (shop.work.reports / "evaluation.json").unlink()
    with pytest.raises(NotBuiltError, match="tillwise evaluate"):
        register(shop, QUIET)


def test_a_better_model_becomes_champion_and_its_package_is_found(shop: Settings, package: ModelPackage) -> None:
    assert champion(shop) is None
    register(shop, QUIET)
    promote(shop, QUIET)
    held = champion(shop)
    assert held is not None
    assert ModelPackage.load(download(shop, held)).version == package.version
    assert "of the gate" in held.tags["promoted_champion"]


def test_a_model_no_better_than_popularity_is_refused_with_the_figures(shop: Settings) -> None:
    worsen(shop)
    register(shop, QUIET)
    with pytest.raises(PromotionError, match=r"not above popularity's end at 0\.\d+"):
        promote(shop, QUIET)
    assert champion(shop) is None


def test_a_forced_promotion_needs_a_reason_and_records_it(shop: Settings) -> None:
    worsen(shop)
    register(shop, QUIET)
    with pytest.raises(PromotionError, match="--why"):
        promote(shop, QUIET, force=True)
    promote(shop, QUIET, force=True, why="the shop is closing")
    held = champion(shop)
    assert held is not None
    assert "forced (the shop is closing)" in held.tags["promoted_champion"]


def test_a_corrupt_package_is_refused(shop: Settings) -> None:
    register(shop, QUIET)
    source = Path(registry_client(shop).search_model_versions("")[0].source.removeprefix("file://"))
    (source / "ranker.txt").write_text("nonsense")
    with pytest.raises(PromotionError, match=r"ranker\.txt is missing or changed"):
        promote(shop, QUIET)


def test_a_version_that_does_not_exist_is_named(shop: Settings) -> None:
    register(shop, QUIET)
    with pytest.raises(NotBuiltError, match="version 7"):
        promote(shop, QUIET, version="7")


def test_the_evaluation_report_says_where_it_comes_from(built_shop: Settings, package: ModelPackage) -> None:
    report = json.loads((built_shop.work.reports / "evaluation.json").read_text())
    assert {"made_by", "at", "code", "data", "model_version"} <= set(report)
    assert report["model_version"] == package.version
    model = report["variants"]["loo"]["arms"]["model"]["hit_rate"]
    beaten = report["variants"]["loo"]["arms"]["frequently_bought_together"]["hit_rate"]
    assert model["ci95"][0] > beaten["ci95"][1]
