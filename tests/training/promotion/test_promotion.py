"""Promoting, going back and following: every decision recorded, every alias told to the replicas."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import pytest

from configs import Settings
from configs.errors import (
    NotBuiltError,
    PackageError,
    PromotionError,
)
from tests.training.promotion.support import QUIET, pointer, version
from training.aliases import CHALLENGER, CHAMPION, pointer_path, read_pointer
from training.decisions import Decision, decisions, standing
from training.following import Follower, RegistryError
from training.package import ModelPackage
from training.promotion import promote, rollback
from training.registry import champion, registry_client
from training.verdicts import newest_verdict

pytestmark = pytest.mark.usefixtures("quick_gate")


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
