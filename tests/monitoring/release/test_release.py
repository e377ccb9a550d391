"""A release from its start to its end, on a real registry and a real record."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from rich.console import Console
from typer.testing import CliRunner

from configs.errors import ConfigError, NotBuiltError, PromotionError
from monitoring.release import history, stage
from monitoring.release.looking import look, stop
from monitoring.release.starting import begin
from monitoring.release.view import release_screen
from pipelines.cli.app import command_tree
from serving.experiments.file import experiment_of
from tests.events.record.support import die_after
from tests.monitoring.release.support import BAD, GOOD, LISTED, QUIET, Shop
from tests.support.postgres import on_each_database
from training import aliases, releasing
from training.aliases import CHALLENGER, CHAMPION, FOLLOWED, pointer_path, read_pointer
from training.promotion import ROLLED_BACK, promote
from training.registry import registry_client
from training.releasing import CANDIDATE, CONTROL, release_path

OWN = [(releasing, "write_json"), (history, "write_json")]
EVERYWHERE = [
    *OWN,
    (aliases, "write_json"),
    (Path, "unlink"),
    *((MlflowClient, f"{verb}_registered_model_alias") for verb in ("set", "delete")),
    *((MlflowClient, f"set_{what}_tag") for what in ("registered_model", "model_version")),
]
"""Where a release changes anything that outlives its process."""


def points_at(shop: Shop, alias: str) -> str | None:
    found = read_pointer(pointer_path(shop.settings.work, alias))
    return None if found is None else found.version


@on_each_database
def test_a_version_that_is_as_good_comes_to_serve_everybody(shop: Shop) -> None:
    experiments = [shop.starts().experiment]
    assert (shop.aliases, points_at(shop, CHALLENGER)) == ({CHAMPION: "1", CHALLENGER: "2"}, "2")
    assert shop.looks().did == "wait"
    shop.passes_shadow()
    for following in ("wide", None):
        experiments.append(shop.running.experiment)
        shop.shows(CONTROL, 60)
        shop.shows(CANDIDATE, 40 if following else 60)
        found = shop.looks()
        assert found.did == ("advance" if following else "complete"), found.why
    assert shop.ended
    assert shop.aliases == {CHAMPION: "2"}
    assert (points_at(shop, CHAMPION), points_at(shop, CHALLENGER)) == ("2", None)
    read = [experiment_of(told, "a step", aliases=FOLLOWED) for told in experiments if told]
    assert [one.name for one in read] == ["release-2-shadow", "release-2-canary", "release-2-wide"]
    assert len({one.salt for one in read}) == 1
    assert [[arm.share for arm in one.arms] for one in read] == [[1.0, 0.0], [0.6, 0.4], [0.5, 0.5]]
    assert [decision.why.split(",")[0].split(":")[0] for decision in shop.decided()] == [
        "its release begins with step shadow",
        "step shadow passed",
        "step canary passed",
        "step wide passed",
    ]
    newest = shop.champions()[-1]
    assert (newest.kind, newest.before, newest.after) == ("promote", "1", "2")
    assert newest.evidence["release"]["checks"]["attach_rate"]["verdict"] == "fine"
    kept = shop.history()
    assert (kept["outcome"], [one["action"] for one in kept["looks"]]) == (
        "completed",
        ["wait", "advance", "advance", "advance"],
    )
    assert history.shares_of(shop.settings, "release-2-canary") == {CONTROL: 0.6, CANDIDATE: 0.4}


def test_a_worse_version_is_stopped_and_the_champion_never_touched(shop: Shop) -> None:
    shop.starts()
    shop.passes_shadow()
    shop.shows(CONTROL, 90, GOOD)
    shop.shows(CANDIDATE, 60, BAD)
    found = shop.looks()
    assert (found.did, "attach rate" in found.why) == ("stop", True)
    assert shop.ended
    assert (shop.aliases, points_at(shop, CHALLENGER)) == ({CHAMPION: "1"}, None)
    assert len(shop.champions()) == 1
    kept = shop.history()
    assert (kept["outcome"], kept["marked_bad"], kept["looks"][-1]["action"]) == ("stopped", True, "stop")
    assert shop.looks().did == "none"
    for alias in FOLLOWED:
        with pytest.raises(PromotionError, match="stepped back from"):
            promote(shop.settings, QUIET, version="2", alias=alias)
    with pytest.raises(PromotionError, match="was stepped back from"):
        shop.starts(force=False, why=None)
    again = shop.starts()
    assert (again.experiment_name, again.attempt) == ("release-2-shadow-2", 2)
    assert [one["outcome"] for one in shop.history()["earlier"]] == ["stopped"]
    shop.passes_shadow()
    assert shop.looks().did == "wait"  # what was seen the first time does not count


@on_each_database
def test_answers_of_another_model_count_for_neither_arm(shop: Shop) -> None:
    shop.starts()
    shop.passes_shadow()
    shop.shows(CONTROL, 60)
    shop.shows(CANDIDATE, 30, BAD, package=shop.running.champion_package)
    found = shop.looks()
    assert found.judged is not None
    assert (found.did, found.judged.people) == ("wait", {CONTROL: 60, CANDIDATE: 0})


def test_a_candidate_that_has_no_lists_ends_as_a_shadow(shop: Shop) -> None:
    shop.starts()
    shop.shows(CONTROL, 40, shadow=[])
    found = shop.looks()
    assert (found.did, "failed share" in found.why) == ("stop", True)


def test_a_step_that_tells_nothing_for_too_long_ends_undecided_and_blames_nobody(shop: Shop) -> None:
    later = shop.starts().since + timedelta(hours=shop.settings.release.most_hours)
    found = look(shop.settings, QUIET, later)
    assert (found.did, "undecided after 336 hours" in found.why) == ("stop", True)
    assert not any(name.startswith(ROLLED_BACK) for name in shop.tags)


@pytest.mark.parametrize(("version", "sentence"), [("3", "version 3 is champion"), ("2", "by somebody else")])
def test_a_champion_that_somebody_changed_meanwhile_ends_the_release(shop: Shop, version: str, sentence: str) -> None:
    shop.starts()
    promote(shop.settings, QUIET, version=version, force=True, why="a test")
    found = shop.looks()
    assert (found.did, sentence in found.why) == ("stop", True)
    assert shop.aliases == {CHAMPION: version}
    assert shop.history()["outcome"] == "overtaken"
    assert not any(name.startswith(ROLLED_BACK) for name in shop.tags)


def test_a_challenger_that_somebody_changed_meanwhile_ends_it_too_and_keeps_its_alias(shop: Shop) -> None:
    shop.starts()
    registry_client(shop.settings).set_registered_model_alias(shop.settings.registry.model_name, CHALLENGER, "3")
    assert "challenger means version 3 now" in shop.looks().why
    assert shop.aliases == {CHAMPION: "1", CHALLENGER: "3"}


def test_whoever_stops_a_release_says_why_and_marks_the_version(shop: Shop) -> None:
    shop.starts()
    stop(shop.settings, QUIET, "it looks odd")
    assert (shop.ended, shop.aliases) == (True, {CHAMPION: "1"})
    assert "it looks odd" in shop.tags[f"{ROLLED_BACK}{CHAMPION}"]
    assert stop(shop.settings, QUIET, "again").did == "none"


def killed_at_every_write(
    act: Callable[[], object], monkeypatch: pytest.MonkeyPatch, places: Sequence[tuple[Any, str]]
) -> int:
    """Do something that is killed before its first write, done again and killed before its second, and so on.

    Return how often it was killed before it came to its end.
    """
    for writes in range(100):
        with monkeypatch.context() as patch:
            die_after(patch, writes, *places)
            try:
                act()
            except KeyboardInterrupt:
                continue
        return writes
    raise AssertionError("it never came to its end")


def test_a_look_that_is_killed_at_any_write_of_a_stop_is_completed_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.starts()
    shop.shows(CONTROL, 40, shadow=[])
    assert killed_at_every_write(shop.looks, monkeypatch, EVERYWHERE) >= 6
    assert (shop.ended, shop.aliases, points_at(shop, CHALLENGER)) == (True, {CHAMPION: "1"}, None)
    assert {f"{ROLLED_BACK}{alias}" for alias in FOLLOWED} <= set(shop.tags)
    assert len(shop.decided()) == 2
    assert shop.history()["outcome"] == "stopped"


def test_a_look_that_is_killed_at_any_write_of_the_last_step_is_completed_by_the_next(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    only = shop.settings.release.model_copy(update={"steps": shop.settings.release.steps[:1]})
    shop.settings = shop.settings.model_copy(update={"release": only})
    shop.starts()
    shop.shows(CONTROL, 40, shadow=LISTED)
    assert killed_at_every_write(shop.looks, monkeypatch, EVERYWHERE) >= 6
    assert (shop.ended, shop.aliases) == (True, {CHAMPION: "2"})
    assert (points_at(shop, CHAMPION), points_at(shop, CHALLENGER)) == ("2", None)
    assert (len(shop.decided()), shop.history()["outcome"]) == (2, "completed")


def test_a_start_that_is_killed_at_any_write_is_undone_or_stands(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def act() -> None:
        if release_path(shop.settings.work).exists() and shop.running.phase == "running":
            shop.looks()
        else:
            shop.starts()

    # Not within the promotion: that is one of the places at which a start is undone, see below.
    assert killed_at_every_write(act, monkeypatch, [*OWN, (MlflowClient, "set_registered_model_tag")]) >= 3
    assert (shop.running.step, shop.running.phase) == ("shadow", "running")
    assert (shop.aliases, points_at(shop, CHALLENGER)) == ({CHAMPION: "1", CHALLENGER: "2"}, "2")


def test_a_start_that_was_cut_off_is_undone_by_the_next_look(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("monitoring.release.starting.at_step", interrupted)
        with pytest.raises(KeyboardInterrupt):
            shop.starts()
    assert (shop.running.phase, shop.running.experiment, shop.aliases[CHALLENGER]) == ("starting", None, "2")
    assert (shop.looks().did, shop.ended, shop.aliases) == ("settle", True, {CHAMPION: "1"})


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_gate_that_refuses_leaves_nothing_behind(shop: Shop) -> None:
    registry_client(shop.settings).set_model_version_tag(
        shop.settings.registry.model_name, "2", f"{ROLLED_BACK}{CHALLENGER}", "it was slow"
    )
    with pytest.raises(PromotionError, match="it was slow"):
        shop.starts(force=False, why=None)
    assert (shop.ended, shop.aliases) == (True, {CHAMPION: "1"})


@pytest.mark.parametrize(
    ("serving", "sentence"),
    [
        ({"experiments": Path("winter.yaml")}, "An experiment runs .*winter.yaml.* end it first"),
        ({"package": Path("pinned")}, "pinned to pinned"),
        ({"exposures": {"enabled": False, "features": False, "queue": 1}}, "switch serving.exposures.enabled on"),
    ],
)
def test_where_it_could_not_be_shown_or_judged_no_release_starts(
    shop: Shop, serving: dict[str, Any], sentence: str
) -> None:
    told = type(shop.settings.serving).model_validate(shop.settings.serving.model_dump() | serving)
    settings = shop.settings.model_copy(update={"serving": told})
    with pytest.raises(ConfigError, match=sentence):
        begin(settings, QUIET, "2", force=False, why=None)


def test_one_version_at_a_time_that_is_there_and_not_champion_yet_is_released(shop: Shop) -> None:
    with pytest.raises(PromotionError, match="Version 1 is champion already"):
        shop.starts("1")
    with pytest.raises(NotBuiltError, match="version 9"):
        shop.starts("9")
    shop.starts("2")
    with pytest.raises(PromotionError, match="Version 2 is being released"):
        shop.starts("3")


def test_a_broken_file_and_a_step_that_is_gone_from_the_settings_are_told(shop: Shop) -> None:
    shop.starts()
    later = shop.settings.release.model_copy(update={"steps": shop.settings.release.steps[1:]})
    with pytest.raises(ConfigError, match=r"at step 'shadow', which release\.steps does not name"):
        look(shop.settings.model_copy(update={"release": later}), QUIET)
    release_path(shop.settings.work).write_text('{"version": 2}')
    with pytest.raises(ConfigError, match=r"release\.json is no running release .*delete it to end"):
        shop.looks()


def test_a_person_sees_steps_figures_and_looks(shop: Shop) -> None:
    shop.starts()
    shop.passes_shadow()
    shop.looks()
    text = rendered(release_screen(shop.running, shop.history(), shop.settings.release))
    for part in ("is being released against version 1: step canary", "release-2-canary", "too few people", "agreement"):
        assert part in text
    stop(shop.settings, QUIET, "it looks odd")
    text = rendered(release_screen(None, history.newest_history(shop.settings), shop.settings.release))
    assert "of version 2: stopped by hand, it looks odd. It is marked as bad" in text


def test_stages_report_what_they_did_for_a_machine(shop: Shop) -> None:
    settings = shop.settings
    assert stage.step(settings, QUIET).metrics["action"] == "none"
    begun = stage.start(settings, QUIET, version="2", force=True, why="a test")
    assert (begun.metrics["action"], begun.metrics["step"]) == ("start", "shadow")
    shop.shows(CONTROL, 40, shadow=LISTED)
    looked = stage.step(settings, QUIET)
    assert (looked.metrics["action"], looked.metrics["step"], looked.metrics["people"][CANDIDATE]) == (
        "advance",
        "canary",
        40,
    )
    assert "step shadow passed, on to canary" in looked.notes[0]
    assert stage.stop(settings, QUIET, why="it looks odd").metrics["action"] == "stop"
    with pytest.raises(ConfigError, match="No release runs"):
        stage.stop(settings, QUIET, why="again")


def test_the_command_shows_what_runs_and_how_it_ended(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def command(*arguments: str) -> str:
        done = CliRunner().invoke(command_tree(), ["release", "status", *arguments])
        assert done.exit_code == 0
        return done.stdout

    monkeypatch.setenv("TILLWISE_HOME", str(shop.settings.work.root))
    assert "No version was ever released here" in command()
    shop.starts()
    told = json.loads(command("--json"))
    assert (told["running"]["version"], told["record"]["outcome"]) == ("2", "running")
    stop(shop.settings, QUIET, "it looks odd")
    told = json.loads(command("--json"))
    assert (told["running"], told["record"]["outcome"]) == (None, "stopped by hand")


def rendered(screen: Any) -> str:
    console = Console(width=250, file=io.StringIO())
    with console.capture() as shown:
        console.print(screen)
    return shown.get()
