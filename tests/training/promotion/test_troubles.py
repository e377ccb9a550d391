"""What may go wrong with a registry while an alias is moved: nothing is left half done, and a rerun completes it."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.pool import Pool

from configs import Settings, SilentProgress
from configs.errors import (
    AlreadyRunningError,
    PromotionError,
    RegistryBusyError,
    RegistryFailedError,
)
from configs.lock import exclusive
from tests.training.promotion.support import QUIET, pointer, version
from training.aliases import CHAMPION
from training.decisions import decisions
from training.following import Follower
from training.promotion import promote, rollback
from training.registry import champion, registry_client

pytestmark = pytest.mark.usefixtures("quick_gate")


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
