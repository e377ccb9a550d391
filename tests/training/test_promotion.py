"""Promoting, going back and following: every decision recorded, every alias told to the replicas."""

from __future__ import annotations

import contextlib
import errno
import shutil
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool
from werkzeug.serving import make_server

from configs import Settings, SilentProgress
from configs.errors import (
    AlreadyRunningError,
    NotBuiltError,
    PackageError,
    PromotionError,
    RegistryBusyError,
    RegistryFailedError,
)
from configs.home import read_json, write_json
from configs.lock import exclusive
from tests.support.gate import audited, measuring_nothing
from tests.support.packages import another
from training.aliases import CHALLENGER, CHAMPION, Pointer, pointer_path, read_pointer
from training.decisions import Decision, decisions, standing
from training.following import Follower, RegistryError
from training.package import ModelPackage
from training.promotion import promote, rollback
from training.registry import champion, register, registry_client
from training.verdicts import newest_verdict

QUIET = SilentProgress()

pytestmark = pytest.mark.usefixtures("quick_gate")


def registered(settings: Settings, package: ModelPackage, count: int) -> list[str]:
    """Register so many packages, the given one first; return their versions."""
    versions = []
    for number in range(count):
        if number:
            shutil.rmtree(settings.work.model)
            another(package, settings.work.model, float(number))
        version = ModelPackage.load(settings.work.model).version
        path = settings.work.reports / "evaluation.json"
        write_json(path, read_json(path) | {"model_version": version})
        register(settings, QUIET)
        versions.append(version)
    return versions


@pytest.fixture(scope="module")
def filled(built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A work folder whose registry holds three versions, none of them promoted; not to be changed."""
    home = tmp_path_factory.mktemp("registry")
    shutil.copytree(built_shop.work.model, home / "model")
    shutil.copytree(built_shop.work.reports, home / "reports")
    settings = built_shop.model_copy(update={"home": home})
    audited(settings)
    with measuring_nothing():
        registered(settings, package, 3)
    return settings


@pytest.fixture
def shop(filled: Settings, tmp_path: Path) -> Settings:
    """A copy of it. Its packages lie where they were."""
    shutil.copytree(filled.work.root, tmp_path, dirs_exist_ok=True)
    return filled.model_copy(update={"home": tmp_path})


def pointer(settings: Settings, alias: str = CHAMPION) -> Pointer:
    found = read_pointer(pointer_path(settings.work, alias))
    assert found is not None
    return found


def version(settings: Settings) -> int:
    held = champion(settings)
    assert held is not None
    return int(held.version)


def test_a_promotion_tells_the_replicas_and_is_recorded_with_its_evidence(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    promote(shop, QUIET, version="2")
    told = pointer(shop)
    assert (told.version, ModelPackage.load(Path(told.folder)).version) == ("2", told.package)
    first, second = decisions(registry_client(shop), shop.registry.model_name, CHAMPION)
    assert (first.before, first.after, second.before, second.after) == (None, "1", "1", "2")
    assert "@" in second.who
    checks = {check["name"]: check for check in second.evidence["verdict"]["checks"]}
    found = checks["simpler arms"]["figures"]["hit_rate_ci95"]
    assert found["model"][0] > found["popularity"][1]
    assert (second.state, second.evidence["overruled"]) == ("done", [])


def test_going_back_leads_through_the_earlier_versions_and_no_further(shop: Settings) -> None:
    for number in ("1", "2", "3"):
        promote(shop, QUIET, version=number)
    done = rollback(shop, QUIET, why="clicks fell")
    assert (version(shop), pointer(shop).version, done.metrics["before"]) == (2, "2", "3")
    assert "clicks fell" in done.notes[0]
    rollback(shop, QUIET)
    assert (version(shop), pointer(shop).version) == (1, "1")
    with pytest.raises(NotBuiltError, match="Version 1 is the first champion"):
        rollback(shop, QUIET)
    kinds = [
        (made.kind, made.after, made.why)
        for made in decisions(registry_client(shop), shop.registry.model_name, CHAMPION)
    ]
    assert kinds[-2:] == [("rollback", "2", "clicks fell"), ("rollback", "1", "no reason was given")]


def test_going_back_from_a_version_that_does_not_serve_any_more_moves_nothing(shop: Settings) -> None:
    for number in ("1", "2", "3"):
        promote(shop, QUIET, version=number)
    with pytest.raises(PromotionError, match="Version 3 is champion, not version 2: nothing was moved"):
        rollback(shop, QUIET, expected="2")
    assert (version(shop), pointer(shop).version) == (3, "3")
    rollback(shop, QUIET, expected="3")
    assert version(shop) == 2


def test_what_was_stepped_back_from_is_not_promoted_again_by_itself(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    promote(shop, QUIET, version="3")
    rollback(shop, QUIET, why="it was slow")
    with pytest.raises(PromotionError, match=r"stepped back from .*it was slow"):
        promote(shop, QUIET)
    promote(shop, QUIET, force=True, why="it is fast now")
    assert version(shop) == 3
    promote(shop, QUIET)  # the matter is settled
    rollback(shop, QUIET)
    assert version(shop) == 1


@contextlib.contextmanager
def damaged(settings: Settings, *versions: str) -> Iterator[None]:
    """Have registered packages be damaged while the block lasts."""
    name, client = settings.registry.model_name, registry_client(settings)
    sources = [client.get_model_version(name, number).source for number in versions]
    rankers = [Path(source.removeprefix("file://")) / "ranker.txt" for source in sources]
    whole = [path.read_text() for path in rankers]
    for path in rankers:
        path.write_text("nonsense")
    yield
    for path, text in zip(rankers, whole, strict=True):
        path.write_text(text)


def test_a_damaged_package_is_neither_promoted_nor_gone_back_to(shop: Settings) -> None:
    for number in ("1", "2", "3"):
        promote(shop, QUIET, version=number)
    with damaged(shop, "2"):
        with pytest.raises(PromotionError, match=r"ranker\.txt is missing or changed"):
            promote(shop, QUIET, version="2")
        done = rollback(shop, QUIET)
    assert version(shop) == 1
    assert "version 2 was passed over" in done.notes[0]


def test_without_a_whole_package_the_alias_stays_where_it_is(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    promote(shop, QUIET, version="2")
    with damaged(shop, "1"), pytest.raises(PackageError, match="No earlier version can serve"):
        rollback(shop, QUIET)
    assert (version(shop), pointer(shop).version) == (2, "2")


def test_without_a_champion_there_is_nothing_to_go_back_from(shop: Settings) -> None:
    with pytest.raises(NotBuiltError, match="nothing to go back from"):
        rollback(shop, QUIET)


Kind = Literal["promote", "rollback"]


def made(steps: Sequence[tuple[Kind, str]]) -> list[Decision]:
    return [Decision(str(at), kind, CHAMPION, None, after, "me", "") for at, (kind, after) in enumerate(steps)]


@pytest.mark.parametrize(
    ("steps", "left"),
    [
        ([], []),
        ([("promote", "1"), ("promote", "2")], ["1", "2"]),
        ([("promote", "1"), ("promote", "1")], ["1"]),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1")], ["1"]),
        ([("promote", "1"), ("promote", "2"), ("rollback", "1"), ("promote", "3")], ["1", "3"]),
        ([("promote", "1"), ("promote", "2"), ("promote", "3"), ("rollback", "1")], ["1"]),
        ([("promote", "1"), ("promote", "2"), ("promote", "1")], ["1", "2", "1"]),
        ([("rollback", "1")], ["1"]),
    ],
)
def test_decisions_leave_the_versions_to_go_back_to(steps: list[tuple[Kind, str]], left: list[str]) -> None:
    assert standing(made(steps)) == left


def test_the_follower_hears_what_others_did_to_the_registry(shop: Settings) -> None:
    client, name, follower = registry_client(shop), shop.registry.model_name, Follower(shop)
    assert follower.look() == []
    client.set_registered_model_alias(name, CHAMPION, "2")
    client.set_registered_model_alias(name, CHALLENGER, "3")
    assert [(moved.alias, moved.version) for moved in follower.look()] == [(CHAMPION, "2"), (CHALLENGER, "3")]
    held = champion(shop)
    assert held is not None
    assert (pointer(shop).package, pointer(shop).folder) == (held.tags["package"], held.source.removeprefix("file://"))
    assert follower.look() == []
    client.delete_registered_model_alias(name, CHALLENGER)
    assert follower.look() == []
    assert read_pointer(pointer_path(shop.work, CHALLENGER)) is None


def test_the_follower_leaves_alone_what_a_promotion_has_told_already(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    before = pointer(shop)
    assert "of the gate" in before.by
    assert Follower(shop).look() == []
    assert pointer(shop) == before


@pytest.mark.parametrize("loss", ["deleted", "garbage"])
def test_the_follower_mends_a_lost_pointer(shop: Settings, loss: str) -> None:
    promote(shop, QUIET, version="1")
    path = pointer_path(shop.work, CHAMPION)
    path.write_text("garbage") if loss == "garbage" else path.unlink()
    Follower(shop).look()
    assert pointer(shop).version == "1"


def test_without_a_registry_pointers_stay_as_they_are(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    (shop.work.registry / "mlflow.db").unlink()
    with pytest.raises(RegistryError, match="no registry"):
        Follower(shop).look()
    assert pointer(shop).version == "1"
    assert not (shop.work.registry / "mlflow.db").exists()


@pytest.fixture
def server(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own tracking server on the shop's registry, in a thread; its URL."""
    from mlflow.server import ARTIFACTS_DESTINATION_ENV_VAR, BACKEND_STORE_URI_ENV_VAR, app

    database = f"sqlite:///{shop.work.registry / 'mlflow.db'}"
    monkeypatch.setenv(BACKEND_STORE_URI_ENV_VAR, database)
    monkeypatch.setenv(ARTIFACTS_DESTINATION_ENV_VAR, str(tmp_path / "artifacts"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_a_registry_on_a_server_is_followed_over_http(shop: Settings, server: str) -> None:
    client, name = registry_client(shop), shop.registry.model_name
    far = shop.model_copy(update={"registry": shop.registry.model_copy(update={"uri": server})})
    follower = Follower(far)
    assert follower.look() == []
    client.set_registered_model_alias(name, CHAMPION, "3")
    assert [(moved.alias, moved.version) for moved in follower.look()] == [(CHAMPION, "3")]
    assert follower.look() == []
    client.delete_registered_model_alias(name, CHAMPION)
    follower.look()
    assert read_pointer(pointer_path(shop.work, CHAMPION)) is None


def test_a_server_that_is_away_changes_nothing(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    away = shop.model_copy(update={"registry": shop.registry.model_copy(update={"uri": "http://127.0.0.1:1"})})
    with pytest.raises(RegistryError, match="does not answer"):
        Follower(away).look()
    assert pointer(shop).version == "1"


def test_a_verdict_is_kept_with_the_version_whether_it_passes_or_not(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    promote(shop, QUIET, version="2")
    rollback(shop, QUIET, why="it was slow")
    with pytest.raises(PromotionError):
        promote(shop, QUIET, version="2")
    client, name = registry_client(shop), shop.registry.model_name
    tags = client.get_model_version(name, "2").tags
    assert tags["gate_champion"].startswith("refused at ")
    assert "it was slow" in tags["gate_champion"]
    run = client.get_model_version(name, "2").run_id
    assert client.list_artifacts(run, "gate")
    newest = newest_verdict(shop.work)
    assert newest is not None
    assert (newest["passed"], newest["version"], newest["alias"]) == (False, "2", CHAMPION)
    promote(shop, QUIET, version="2", force=True, why="it is fast now")
    forced = decisions(client, name, CHAMPION)[-1]
    assert forced.evidence["overruled"] == ["standing"]
    assert "it is fast now" in forced.why
    assert "it was slow" in forced.why


def test_a_second_promotion_at_the_same_time_is_refused(shop: Settings) -> None:
    with exclusive(shop.work.run / "promotion.lock", what="A promotion"):
        with pytest.raises(AlreadyRunningError, match="A promotion is already under way"):
            promote(shop, QUIET, version="1")
        promote_elsewhere = decisions(registry_client(shop), shop.registry.model_name, CHAMPION)
    assert promote_elsewhere == []
    promote(shop, QUIET, version="1")
    assert version(shop) == 1


class Meddler(SilentProgress):
    """Somebody else moves the alias while a version is judged."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def update(self, message: str, done: float) -> None:
        if message == "moving the alias":
            client = registry_client(self._settings)
            client.set_registered_model_alias(self._settings.registry.model_name, CHAMPION, "3")


def test_an_alias_that_moved_while_a_version_was_judged_stays_where_it_is(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    with pytest.raises(PromotionError, match="champion moved from version 1 to 3"):
        promote(shop, Meddler(shop), version="2")
    assert version(shop) == 3
    assert [made.after for made in decisions(registry_client(shop), shop.registry.model_name, CHAMPION)] == ["1"]


class Killed(BaseException):
    """What a process does not survive."""


@pytest.mark.parametrize("before_the_move", [True, False])
def test_a_crash_at_the_move_is_found_out_by_the_next_command(
    shop: Settings, monkeypatch: pytest.MonkeyPatch, before_the_move: bool
) -> None:
    from mlflow import MlflowClient

    promote(shop, QUIET, version="1")
    promote(shop, QUIET, version="2")
    move = MlflowClient.set_registered_model_alias

    def dies(client: MlflowClient, name: str, alias: str, number: str) -> None:
        if not before_the_move:
            move(client, name, alias, number)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "set_registered_model_alias", dies)
        with pytest.raises(Killed):
            promote(shop, QUIET, version="3")
    Follower(shop).look()
    stands = 2 if before_the_move else 3
    assert (version(shop), pointer(shop).version) == (stands, str(stands))
    rollback(shop, QUIET)
    assert (version(shop), pointer(shop).version) == (stands - 1, str(stands - 1))
    states = {made.after: made.state for made in decisions(registry_client(shop), shop.registry.model_name, CHAMPION)}
    assert states["3"] == ("abandoned" if before_the_move else "done")


def test_a_disk_without_room_for_the_pointer_moves_no_alias(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    promote(shop, QUIET, version="1")

    def full(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("training.aliases.write_json", full)
        with pytest.raises(RegistryFailedError, match="no room left"):
            promote(shop, QUIET, version="2")
    assert (version(shop), pointer(shop).version) == (1, "1")
    promote(shop, QUIET, version="2")
    assert (version(shop), pointer(shop).version) == (2, "2")


@contextlib.contextmanager
def impatient() -> Iterator[None]:
    """Have MLflow wait for a locked database for a moment only, instead of the 20 s that it asks SQLite for."""

    def shorter(_: object, cursor: object, statement: str, values: object, *more: object) -> tuple[str, object]:
        return ("PRAGMA busy_timeout = 50" if "busy_timeout" in statement else statement), values

    event.listen(Engine, "before_cursor_execute", shorter, retval=True)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", shorter)


def test_a_locked_registry_is_one_sentence_and_moves_nothing(shop: Settings) -> None:
    promote(shop, QUIET, version="1")
    path = shop.work.registry / "mlflow.db"
    with impatient(), contextlib.closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryBusyError, match="is locked by another process: wait"):
            promote(shop, QUIET, version="2")
        other.rollback()
    assert (version(shop), pointer(shop).version) == (1, "1")


def promote_again_and_again(settings: Settings) -> None:
    """Use up what little room a database has left in its last page."""
    for number in ("2", "3") * 10:
        promote(settings, QUIET, version=number)


def test_a_registry_without_room_is_one_sentence_and_a_rerun_completes(shop: Settings) -> None:
    promote(shop, QUIET, version="1")

    is_full = True

    def limit(connection: sqlite3.Connection, *_: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages if is_full else 2**30}")

    event.listen(Pool, "checkout", limit)  # connections of a pool may be open already
    try:
        with pytest.raises(RegistryFailedError, match="has no room left"):
            promote_again_and_again(shop)
        is_full = False
        finish(shop)
    finally:
        event.remove(Pool, "checkout", limit)


def finish(shop: Settings) -> None:
    """Run again what a registry without room had refused."""
    assert pointer(shop).version == str(version(shop))
    promote(shop, QUIET, version="3")
    assert (version(shop), pointer(shop).version) == (3, "3")


def test_a_registry_out_of_reach_is_not_one_without_a_champion(shop: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BACKOFF_FACTOR", "BACKOFF_JITTER"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", "0")
    away = shop.model_copy(update={"registry": shop.registry.model_copy(update={"uri": "http://127.0.0.1:1"})})
    with pytest.raises(RegistryBusyError, match="does not answer"):
        champion(away)
