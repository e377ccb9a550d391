"""What follows from what was seen, and how it is told to people: rules, tenures, the table, the status, the command."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from configs import load_settings
from configs.home import write_json
from monitoring.watch.acting import Sight, raise_incident
from monitoring.watch.deciding import Choice, Situation, choose
from monitoring.watch.drifting import Course, drift_folder, look_at_inputs
from monitoring.watch.incidents import Incident, incident_folder, now_text, read_incidents, write_incident
from monitoring.watch.reading import Place
from monitoring.watch.tenure import Standing, Tenure, tenures
from monitoring.watch.view import incidents_screen, look_screen
from monitoring.watch.watching import Verdict, Watched
from monitoring.watched import monitor_area
from pipelines.cli.app import command_tree
from tests.events.record.support import Record
from tests.monitoring.watch.support import World
from tests.monitoring.watch.test_inputs import START, logged
from training.decisions import Decision
from training.wanted import want_retrain

WATCH = load_settings().monitoring.watch


def figure(name: str, verdict: Verdict) -> Watched:
    return Watched(name, True, 0.3, 0.1, 0.2, 1.2, 1_000.0, 500, verdict)


def situation(*figures: Watched, **changes: Any) -> Situation:
    told: dict[str, Any] = {"tells_outcomes": True, "earlier": True, "since_rollback": None, "drifted": False}
    return Situation(figures, **(told | {"asked": False} | changes))


BREACH, SLOW = figure("attach_rate", "breach"), figure("latency", "breach")


@pytest.mark.parametrize(
    ("seen", "act", "rule"),
    [
        (situation(figure("attach_rate", "ok")), "none", "all_well"),
        (situation(figure("attach_rate", "suspicious")), "none", "all_well"),
        (situation(figure("latency", "lasting too short")), "none", "all_well"),
        (situation(BREACH), "rollback", "breach"),
        (situation(BREACH, drifted=True), "rollback", "breach"),
        (situation(BREACH, earlier=False), "incident", "nothing_to_go_back_to"),
        (situation(BREACH, since_rollback=60.0), "incident", "cool_down"),
        (situation(BREACH, since_rollback=WATCH.cool_down_minutes * 60 + 1), "rollback", "breach"),
        (situation(BREACH, tells_outcomes=False), "incident", "no_outcomes"),
        (situation(BREACH, SLOW, tells_outcomes=False), "rollback", "breach"),
        (situation(drifted=True), "retrain", "drift_without_breach"),
        (situation(drifted=True, asked=True), "none", "retrain_asked_already"),
    ],
)
def test_what_was_seen_decides(seen: Situation, act: str, rule: str) -> None:
    found = choose(seen, WATCH)
    assert (found.act, found.rule) == (act, rule)
    assert len(found.why) > 10


def test_a_rollback_for_slowness_does_not_blame_outcomes_that_never_came() -> None:
    found = choose(situation(BREACH, SLOW, tells_outcomes=False), WATCH)
    assert found.figures == ("latency",)


def test_decisions_tell_who_was_champion_when_and_who_was_sent_away() -> None:
    def made(minute: int, kind: Any, after: str) -> Decision:
        return Decision(f"2026-01-01T00:{minute:02d}:00+00:00", kind, "champion", None, after, "me", "")

    history = [made(0, "promote", "1"), made(1, "promote", "2"), made(2, "promote", "2"), made(3, "promote", "3")]
    found = tenures([*history, made(4, "rollback", "2")])
    assert [(one.version, one.sent_away) for one in found] == [("1", False), ("2", False), ("3", True), ("2", False)]
    assert [one.until - one.since if one.until else None for one in found] == [60, 120, 60, None]


def standing(package: str) -> Standing:
    return Standing(package, Tenure("1", START), True, None, None, None, None)


def test_drift_is_confirmed_by_people_who_come_later_and_never_twice_by_the_same(tmp_path: Path) -> None:
    record = Record(tmp_path)
    limits = WATCH.drift.model_copy(update={"people": 150, "shown": 1})
    watched = record.settings.monitoring.model_copy(update={"watch": WATCH.model_copy(update={"drift": limits})})
    settings = record.settings.model_copy(update={"monitoring": watched})
    logged(record, "a", range(150))
    course = look_at_inputs(settings, standing("a"), Course(Place(0.0)), START + 1e6)
    assert course.in_a_row == 0
    assert not (settings.work.reports / "drift.json").exists()
    for times in (1, 2):
        logged(record, "a", range(150 * times, 150 * (times + 1)), shift=1.5)
        for _ in range(2):  # the second look finds nobody new
            course = look_at_inputs(settings, standing("a"), course, START + 1e6)
            assert course.in_a_row == times
    assert Course.of(course.as_dict()) == course
    record.engine.dispose()


def test_an_incident_keeps_the_newest_report_on_its_models_inputs(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    mine, seen = standing("a"), Sight([], Place(0.0), now_text())
    for age, name in enumerate((f"{mine.name}-2.html", f"{mine.name}-1.html", "other-3.html")):
        path = drift_folder(settings) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
        os.utime(path, (1_000 - age, 1_000 - age))
    made = raise_incident(settings, mine, Choice("incident", "cool_down", "attach rate is low"), seen)
    kept = [tmp_path / name for name in made.reports if name.endswith(".html")]
    assert [path.read_text() for path in kept] == [f"{mine.name}-2.html"]
    assert kept[0].parent == incident_folder(settings)
    assert f"(../../{made.reports[-1]})" in (incident_folder(settings) / f"{made.id}.md").read_text()


def incident(**changes: Any) -> Incident:
    facts: dict[str, Any] = {"id": "20260101T000000Z-v3", "state": "needs you", "version": "3", "package": "abc"}
    return Incident(**(facts | {"tenure": "v3-1", "rule": "cool_down", "why": "attach rate is low"} | changes))


def test_incidents_are_listed_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TILLWISE_HOME", str(tmp_path))
    command, runner = command_tree(), CliRunner()
    assert "No incident" in runner.invoke(command, ["incidents"]).output
    settings = load_settings()
    write_incident(settings, incident())
    write_incident(settings, incident(id="20260102T000000Z-v4", version="4", state="rolled back", to="2"))
    assert [one.version for one in read_incidents(settings)] == ["4", "3"]
    out = io.StringIO()
    Console(file=out, width=200).print(incidents_screen(read_incidents(settings)))
    assert "4 → 2" in out.getvalue()
    assert '"rule": "cool_down"' in runner.invoke(command, ["incidents", "--json"]).output


def test_monitor_without_a_champion_ends_with_a_sentence_and_exit_code_1(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TILLWISE_HOME", str(world.home))
    done = CliRunner().invoke(command_tree(), ["monitor"])
    assert done.exit_code == 1
    assert "nothing is watched" in done.output


def test_a_look_is_shown_as_a_table() -> None:
    look = {
        "version": "3",
        "package": "abc",
        "action": "rollback",
        "rule": "breach",
        "why": "attach rate is low",
        "figures": [vars(BREACH), vars(Watched("latency", False, None, None, None, 0.0, None, 0, "no reference yet"))],
        "references": [{"of": "2", "people": 1_000, "answers": 1_200}],
        "incident": "i1",
    }
    out = io.StringIO()
    Console(file=out, width=150).print(look_screen(look))
    for text in ("attach rate", "≥ 0.2000", "breach", "ROLLBACK", "version 2, 1,000 people", "i1", "no reference yet"):
        assert text in out.getvalue()


def test_the_status_tells_the_last_look_and_what_waits_for_a_person(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path)
    assert monitor_area(settings).state == "not running"
    look = {"looked_at": now_text(), "version": "3", "action": "none", "figures": [vars(figure("latency", "ok"))]}
    write_json(tmp_path / "reports" / "monitor.json", look | {"incident": None})
    want_retrain(settings.work, "inputs drifted", "a test")
    area = monitor_area(settings)
    assert (area.state, area.facts["verdict"], area.facts["retrain_wanted"]) == ("ok", "all ok", "inputs drifted")
    write_incident(settings, incident())
    write_json(tmp_path / "reports" / "monitor.json", look | {"incident": "20260101T000000Z-v3"})
    area = monitor_area(settings)
    assert area.state == "failing"
    assert area.fix is not None
    assert "20260101T000000Z-v3.md" in area.fix
    write_json(
        tmp_path / "reports" / "monitor.json", look | {"looked_at": "2026-01-01T00:00:00+00:00", "incident": None}
    )
    assert monitor_area(settings).state == "stale"
