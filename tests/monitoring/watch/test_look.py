"""Looks at a real record and a real registry: who is judged, against what, and what is done."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from mlflow import MlflowClient

from configs.errors import DataError, NotBuiltError
from configs.home import read_json
from monitoring.watch import acting, read_incidents
from tests.monitoring.watch.support import Taste, World
from tests.support.postgres import on_each_database
from training.aliases import CHAMPION, pointer_path, read_pointer
from training.decisions import decisions
from training.registry import champion, registry_client

GOOD, BAD = Taste(), Taste(adds=0.06, clicks=0.1)


def serving(world: World) -> str:
    held = champion(world.settings)
    pointer = read_pointer(pointer_path(world.settings.work, CHAMPION))
    assert held is not None
    assert pointer is not None
    assert pointer.version == str(held.version)
    return pointer.version


def reign(world: World, *tastes: tuple[str, int, Taste]) -> None:
    """Crown versions one after the other, and let each answer."""
    for version, count, taste in tastes:
        world.crown(version)
        world.answers(version, count, taste)


@on_each_database
def test_a_bad_version_is_rolled_back_and_the_incident_tells_all(world: World) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, BAD))
    look = world.look()
    assert (look.metrics["action"], look.metrics["rule"]) == ("rollback", "breach")
    assert serving(world) == "1"
    (incident,) = read_incidents(world.settings)
    assert (incident.state, incident.version, incident.to, incident.id) == (
        "rolled back",
        "2",
        "1",
        look.metrics["incident"],
    )
    assert set(incident.breached) >= {"attach_rate"}
    assert incident.answers["since_the_champion_took_over"] == 1_500
    assert 0 < incident.answers["since_the_first_bad_one"] <= 1_500
    assert list(incident.times)[:4] == ["first_bad_answer", "seen", "decided", "pointer_moved"]
    page = (world.settings.work.reports / "incidents" / f"{incident.id}.md").read_text()
    assert "version 1 serves again" in page
    assert "attach rate is" in page
    client = registry_client(world.settings)
    tags = client.get_model_version(world.settings.registry.model_name, "2").tags
    assert incident.id in tags["rolled_back_champion"]
    last = decisions(client, world.settings.registry.model_name, CHAMPION)[-1]
    assert (last.kind, last.after, last.evidence["incident"]) == ("rollback", "1", incident.id)


def test_what_became_bad_long_after_it_was_promoted_is_found_as_well(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 6_000, GOOD))
    assert world.look().metrics["action"] == "none"
    world.answers("2", 1_500, BAD)
    look = world.look()
    assert look.metrics["action"] == "rollback"
    assert read_incidents(world.settings)[0].answers["since_the_first_bad_one"] == pytest.approx(1_500, abs=150)


@pytest.mark.parametrize(
    ("taste", "figure"),
    [
        (Taste(latency_ms=60.0), "latency"),
        (Taste(fails=0.3), "fallback_share"),
        (Taste(products=4), "coverage"),
        (Taste(adds=0.05), "attach_rate"),
        (Taste(clicks=0.05), "click_rate"),
    ],
)
def test_each_figure_is_found_by_itself(world: World, taste: Taste, figure: str) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, taste))
    look = world.look()
    assert look.metrics["action"] == "rollback"
    assert [one["name"] for one in look.metrics["figures"] if one["verdict"] == "breach"] == [figure]


def test_scores_that_decline_are_held_against_the_version_s_own_first_answers(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 3_000, Taste(score=-50.0)))
    assert world.look().metrics["action"] == "none"  # another version's scores have another scale
    world.answers("2", 2_000, Taste(score=-51.5))
    look = world.look()
    assert world.figure("affinity", look)["verdict"] == "breach"
    assert look.metrics["action"] == "rollback"


def test_a_first_champion_is_held_against_its_own_first_people_and_has_nothing_to_go_back_to(world: World) -> None:
    reign(world, ("1", 200, GOOD))
    assert {one["verdict"] for one in world.look().metrics["figures"]} == {"no reference yet"}
    world.answers("1", 3_000, GOOD)
    assert {one["verdict"] for one in world.look().metrics["figures"]} == {"ok"}
    world.answers("1", 2_000, BAD)
    look = world.look()
    assert (look.metrics["action"], look.metrics["rule"]) == ("incident", "nothing_to_go_back_to")
    assert serving(world) == "1"
    assert world.look().metrics["incident"] == look.metrics["incident"]  # one incident, however often one looks
    (incident,) = read_incidents(world.settings)
    assert incident.state == "needs you"
    assert "train one" in incident.why


@pytest.mark.parametrize(("cool_down", "action"), [(600.0, "incident"), (10.0, "rollback")])
def test_a_second_rollback_within_the_cool_down_is_left_to_a_person(
    new_world: Callable[..., World], cool_down: float, action: str
) -> None:
    world = new_world(cool_down_minutes=cool_down)
    reign(world, ("1", 1_500, GOOD), ("2", 1_500, GOOD), ("3", 100, BAD))
    world.crown("2", "rollback")
    world.answers("2", 1_500, BAD)
    look = world.look()
    assert look.metrics["references"][0]["of"] == "2"  # the last good champion is itself, before version 3
    assert look.metrics["action"] == action
    assert serving(world) == ("2" if action == "incident" else "1")
    if action == "incident":
        assert look.metrics["rule"] == "cool_down"
        assert "The last rollback was" in read_incidents(world.settings)[0].why


@on_each_database
def test_canary_answers_asked_for_rankings_and_unread_state_do_not_count(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 1_000, GOOD))
    world.answers("2", 1_000, BAD, experiment="release-2-1", experiment_arm="candidate")
    world.answers("2", 1_000, BAD, ranking_arm="popularity", fallback=None)
    world.answers("2", 1_000, BAD, ranking_arm="model", fallback="state unavailable (no time left)")
    world.answers("1", 1_000, BAD)
    world.answers("2", 1_000, GOOD)
    look = world.look()
    assert look.metrics["action"] == "none"
    assert world.figure("latency", look)["observations"] == 2_000 // 20


@on_each_database
def test_answers_count_only_once_what_comes_of_them_had_time_to_come(new_world: Callable[..., World]) -> None:
    world = new_world(maturity_minutes=5.0)
    reign(world, ("1", 6_000, GOOD), ("2", 2_900, BAD))  # 290 seconds: none has matured
    look = world.look()
    assert world.figure("attach_rate", look)["observations"] == 0
    assert world.figure("latency", look)["observations"] > 0
    world.answers("2", 3_000, BAD)
    assert world.look().metrics["action"] == "rollback"


def test_without_any_outcome_of_anybody_the_record_is_broken_and_not_the_model(world: World) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 2_000, Taste(adds=0.0, clicks=0.0)))
    look = world.look()
    assert (look.metrics["action"], look.metrics["rule"]) == ("incident", "no_outcomes")
    assert serving(world) == "2"


def test_how_often_one_looks_changes_nothing(new_world: Callable[..., World]) -> None:
    often, once = new_world(seed=9), new_world(seed=9)
    once.at = often.at
    for world in (often, once):
        reign(world, ("1", 1_500, GOOD))
        world.crown("2")
    for count in (130, 7, 663, 1_200, 950):
        for world in (often, once):
            world.answers("2", count, Taste(adds=0.24))
        often.look()
    found = [
        {one["name"]: (one["evidence"], one["observations"]) for one in world.look().metrics["figures"]}
        for world in (often, once)
    ]
    assert found[0] == found[1]
    assert found[0]["attach_rate"][1] > 2_000


def test_without_its_state_the_next_look_comes_to_the_same(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 2_000, Taste(adds=0.24)))
    first = world.look().metrics["figures"]
    (world.settings.work.run / "monitor.json").unlink()
    assert world.look().metrics["figures"] == first


def test_the_reference_does_not_move_once_it_is_made(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 500, GOOD))
    first = world.look().metrics["figures"]
    world.answers("1", 1_500, BAD)
    later = world.look().metrics["figures"]
    assert [one["limit"] for one in later if one["name"] != "affinity"] == [
        one["limit"] for one in first if one["name"] != "affinity"
    ]


def test_fifty_healthy_windows_raise_no_alarm(world: World) -> None:
    reign(world, ("1", 1_500, GOOD))
    world.crown("2")
    for _ in range(50):
        world.answers("2", 200, GOOD)
        assert world.look().metrics["action"] == "none"
    assert serving(world) == "2"
    assert read_incidents(world.settings) == []


def test_a_look_that_was_killed_after_deciding_is_completed_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, BAD))

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("monitoring.watch.acting.rollback", killed)
        with pytest.raises(KeyboardInterrupt):
            world.look()
    assert serving(world) == "2"
    assert [one.state for one in read_incidents(world.settings)] == ["acting"]
    assert world.look().metrics["action"] == "rollback"
    assert serving(world) == "1"
    assert [one.state for one in read_incidents(world.settings)] == ["rolled back"]


@pytest.mark.parametrize("place", [(MlflowClient, "set_registered_model_alias"), (acting, "swapped_at")])
def test_a_look_that_was_killed_after_the_alias_moved_is_completed_by_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch, place: tuple[Any, str]
) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, BAD))
    does = getattr(*place)

    def killed(*arguments: Any, **named: Any) -> None:
        does(*arguments, **named)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*place, killed)
        with pytest.raises(KeyboardInterrupt):
            world.look()
    world.look()
    assert serving(world) == "1"
    (incident,) = read_incidents(world.settings)
    assert (incident.state, incident.to) == ("rolled back", "1")
    client = registry_client(world.settings)
    kinds = [made.kind for made in decisions(client, world.settings.registry.model_name, CHAMPION)]
    assert kinds.count("rollback") == 1


def test_two_looks_at_once_roll_back_once(world: World) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, BAD))
    done: list[str] = []
    threads = [threading.Thread(target=lambda: done.append(world.look().metrics["action"])) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == ["none", "rollback"]
    assert len(read_incidents(world.settings)) == 1


def test_without_a_champion_nothing_is_watched(world: World) -> None:
    with pytest.raises(NotBuiltError, match="nothing is watched"):
        world.look()


def test_a_record_that_cannot_be_read_changes_nothing(world: World) -> None:
    reign(world, ("1", 2_000, GOOD), ("2", 1_500, BAD))
    world.engine.dispose()
    (world.settings.work.record / "record.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(DataError, match="cannot be read"):
        world.look()
    assert serving(world) == "2"
    assert read_incidents(world.settings) == []


def test_a_look_leaves_its_report(world: World) -> None:
    reign(world, ("1", 1_500, GOOD), ("2", 500, GOOD))
    look = world.look()
    report = read_json(world.settings.work.reports / "monitor.json")
    assert {"made_by", "at", "code", "data"} < set(report)
    assert report["figures"] == json.loads(json.dumps(look.metrics["figures"]))
    assert report["references"][0]["of"] == "1"
