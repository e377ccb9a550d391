"""Swapping what a worker serves: checked before, kept after, never half, and nothing of it left behind."""

from __future__ import annotations

import gc
import json
import weakref
from pathlib import Path

import psutil
import pytest

from configs import Settings
from configs.errors import NotBuiltError, PackageError
from serving.models import Following, Models, served
from tests.support.packages import another, damaged, move, version_in
from tests.support.waiting import wait_until
from training import selftest
from training.aliases import CHALLENGER, CHAMPION, pointer_path
from training.package import ModelPackage

MIB = 2**20


@pytest.fixture(scope="module")
def folders(built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Three whole packages and a damaged one, by version."""
    into = tmp_path_factory.mktemp("packages")
    whole = [built_shop.work.model, *(another(package, into / str(n), n) for n in (1.0, 2.0))]
    return {version_in(folder): folder for folder in whole} | {"damaged": damaged(whole[1], into / "damaged")}


@pytest.fixture
def settings(built_shop: Settings, tmp_path: Path, folders: dict[str, Path]) -> Settings:
    """Settings of a work folder whose champion is the first package."""
    changed = built_shop.model_copy(update={"home": tmp_path})
    version, folder = next(iter(folders.items()))
    move(changed.work, folder, version)
    return changed


@pytest.fixture
def models(settings: Settings) -> Models:
    """What a worker has loaded at its start."""
    return Models.opened(settings)


def names(folders: dict[str, Path]) -> list[str]:
    return [version for version in folders if version != "damaged"]


def test_the_champion_serves_and_a_new_one_takes_over(
    settings: Settings, models: Models, folders: dict[str, Path]
) -> None:
    first, second, _ = names(folders)
    following = Following(models, settings)
    following.look()
    before = models.champion
    assert before.version == first
    move(settings.work, folders[second], second)
    following.look()
    assert models.champion.version == second
    assert models.standing.previous is before
    # Whoever took the old one before the swap can still use it from beginning to end.
    assert before.recommender.recommend([], models.champion.package.golden[0].shopper, before.package.as_of, 3)


def test_going_back_loads_nothing(
    settings: Settings, models: Models, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, _ = names(folders)
    before = models.champion
    models.follow(move(settings.work, folders[second], second))
    monkeypatch.setattr(ModelPackage, "load", None)
    models.follow(move(settings.work, folders[first], first))
    assert models.champion is before
    assert models.standing.previous is not None
    assert models.standing.previous.version == second
    assert models.standing.refused is None


def test_a_damaged_package_is_refused_once_and_what_served_goes_on(
    settings: Settings, models: Models, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    following, before = Following(models, settings), models.champion
    move(settings.work, folders["damaged"], "damaged")
    following.look()
    assert models.champion is before
    refused = models.standing.refused
    assert refused is not None
    assert (refused.version, "ranker.txt is missing or changed" in refused.reason) == ("damaged", True)
    tried: list[Path] = []
    monkeypatch.setattr(ModelPackage, "load", tried.append)
    following.look()
    assert tried == []
    move(settings.work, folders["damaged"], "damaged")  # said again: tried again
    following.look()
    assert tried == [folders["damaged"]]


def test_a_refusal_is_over_once_the_pointer_names_what_serves(
    settings: Settings, models: Models, folders: dict[str, Path]
) -> None:
    first, before = names(folders)[0], models.champion
    models.follow(move(settings.work, folders["damaged"], "damaged"))
    models.follow(move(settings.work, folders[first], first))
    assert models.champion is before
    assert models.standing.refused is None


def test_a_package_that_answers_otherwise_than_it_did_is_refused(
    settings: Settings, models: Models, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "disagreement", lambda found, golden: "of a changed library")
    second = names(folders)[1]
    models.follow(move(settings.work, folders[second], second))
    assert models.standing.refused is not None
    assert "fails its self-test" in models.standing.refused.reason


def test_another_package_than_the_pointer_says_is_refused(
    settings: Settings, models: Models, folders: dict[str, Path]
) -> None:
    _, second, third = names(folders)
    models.follow(move(settings.work, folders[third], second))
    assert models.standing.refused is not None
    assert f"holds package {third}, the pointer says {second}" in models.standing.refused.reason


@pytest.mark.parametrize("text", ["no json", "[]", '{"alias": "champion"}', json.dumps({"x": 1})])
def test_a_pointer_that_cannot_be_read_is_refused(settings: Settings, models: Models, text: str) -> None:
    pointer_path(settings.work, CHAMPION).write_text(text)
    Following(models, settings).look()
    assert models.standing.refused is not None
    assert "is no pointer" in models.standing.refused.reason


def test_a_challenger_comes_and_goes_and_is_not_loaded_twice(
    settings: Settings, models: Models, folders: dict[str, Path]
) -> None:
    second, following = names(folders)[1], Following(models, settings)
    assert models.named(CHALLENGER) is None
    move(settings.work, folders[second], second, CHALLENGER)
    following.look()
    challenger = models.named(CHALLENGER)
    assert challenger is not None
    move(settings.work, folders[second], second)
    following.look()
    assert models.champion is challenger
    pointer_path(settings.work, CHALLENGER).unlink()
    pointer_path(settings.work, CHAMPION).unlink()
    following.look()
    assert models.named(CHALLENGER) is None
    assert models.champion is challenger  # whatever happens, something serves


def test_a_restarted_worker_serves_the_last_good_package_if_the_pointer_names_a_damaged_one(
    settings: Settings, models: Models, folders: dict[str, Path]
) -> None:
    second, following = names(folders)[1], Following(models, settings)
    for version in (second, "damaged"):
        move(settings.work, folders[version], version)
        following.look()
    restarted = Models.opened(settings)
    assert restarted.champion.version == second
    Following(restarted, settings).look()
    assert restarted.champion.version == second
    assert restarted.standing.refused is not None


def test_without_any_good_package_the_error_says_what_to_do(
    settings: Settings, folders: dict[str, Path], tmp_path: Path
) -> None:
    move(settings.work, folders["damaged"], "damaged")
    with pytest.raises(PackageError, match=r"ranker\.txt"):
        Models.opened(settings)
    with pytest.raises(NotBuiltError, match="tillwise promote"):
        Models.opened(settings.model_copy(update={"home": tmp_path / "empty"}))


def test_a_package_named_by_the_settings_serves_whatever_is_champion(
    settings: Settings, folders: dict[str, Path]
) -> None:
    third = names(folders)[2]
    serving = settings.serving.model_copy(update={"package": folders[third]})
    assert Models.opened(settings.model_copy(update={"serving": serving})).champion.version == third


def test_twenty_swaps_leave_nothing_behind(
    settings: Settings, models: Models, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "REST_SECONDS", 0.0)
    versions = names(folders)
    kept, resident = [], []
    gc.disable()  # what only the collector would free stays: nothing may need it
    try:
        for number in range(1, 21):
            version = versions[number % len(versions)]
            models.follow(move(settings.work, folders[version], version))
            kept.append(weakref.ref(models.champion.package))
            resident.append(psutil.Process().memory_info().rss / MIB)
    finally:
        gc.enable()
    assert [reference() is not None for reference in kept] == [False] * 18 + [True] * 2
    size = sum(path.stat().st_size for path in folders[versions[0]].iterdir()) / MIB
    assert resident[-1] - resident[4] < max(4 * size, 20)


def test_the_thread_follows_by_itself_and_ends(settings: Settings, models: Models, folders: dict[str, Path]) -> None:
    second = names(folders)[1]
    hasty = settings.serving.model_copy(update={"follow_seconds": 0.01})
    following = Following(models, settings.model_copy(update={"serving": hasty}))
    following.start()
    move(settings.work, folders[second], second)
    wait_until(lambda: models.champion.version == second)
    following.end()
    following.join(5)
    assert not following.is_alive()


def test_the_clock_of_historical_data_follows_the_champion(models: Models, package: ModelPackage) -> None:
    first = models.clock()
    assert package.as_of <= first < models.clock() < package.as_of + 3_600
