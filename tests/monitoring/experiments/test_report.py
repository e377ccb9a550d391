"""The report of an experiment: figures against plain counting, what is not to be trusted, and the command."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from configs import load_settings
from configs.errors import ConfigError, DataError
from configs.moments import moment
from events.contract import Line
from monitoring.experiments import Question, report_path, write_report
from monitoring.experiments.observed import observe
from monitoring.experiments.reading import Rows
from monitoring.experiments.view import report_screen
from pipelines.cli.app import command_tree
from pipelines.cli.experiment import read_moment, read_shares
from tests.events.builders import NOW
from tests.events.record.support import Record
from tests.monitoring.experiments.support import EXPERIMENT, Shop, answer, bought, done

PEOPLE = 160
"""An arm."""
FULL = {"control": 0.5, "other": 0.5}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """An empty shop on SQLite, in which a few resamples suffice."""
    return Shop(Record(tmp_path), bootstrap_samples=100)


def run_experiment(shop: Shop, *, slow: bool = False, strays: int = 0) -> dict[str, dict[str, float]]:
    """Let people of two arms come twice each; return by arm what was counted along the way.

    In the arm `other` far more is added, and cheaper things are ordered.
    """
    counted = {arm: dict.fromkeys(("requests", "attached", "clicked", "value", "margin"), 0.0) for arm in FULL}
    answers, events, worth = [], [], {"control": 1.0, "other": 0.05}
    for number in range(2 * PEOPLE * 2):
        arm = "other" if number % 4 >= 2 else "control"
        person, request, at = f"{arm}{number // 4}", f"r{number:04d}", NOW + number
        price = 10 * worth[arm]
        latency = 40.0 if slow and arm == "other" and number % 20 == 3 else 3.0
        shown = (f"p{number % 7}", f"q{number % 5}") if arm == "control" else ("p0", "p1")
        answers.append(
            answer(
                request,
                *shown,
                at=at,
                session=request,
                unit=person,
                arm=arm,
                price=price,
                worth=worth[arm],
                latency_ms=latency,
            )
        )
        mine = counted[arm]
        mine["requests"] += 1
        if number % (3 if arm == "other" else 9) == 0:
            named = {"request_id": request, "session": request}
            events += [
                done("click", shown[0], message=f"c{number}", at=at + 5, **named),
                done("add", shown[0], message=f"a{number}", at=at + 6, **named),
                bought(f"o{number}", Line(shown[0], 2.0, price), Line("other thing"), at=at + 9, session=request),
            ]
            for name, gained in (("attached", 1), ("clicked", 1), ("value", 2 * price), ("margin", 2 * worth[arm])):
                mine[name] += gained
    answers += [
        answer(f"s{arm}{n}", "p0", at=NOW, session=None, unit=f"stray{n}", arm=arm)
        for n in range(strays)
        for arm in FULL
    ]
    shop.shows(*answers)
    shop.record.store(*events)
    return counted


def written(shop: Shop, **question: Any) -> dict[str, Any]:
    report = write_report(shop.settings, Question(**question))
    assert report is not None
    assert json.loads(report_path(shop.settings).read_text()) == report
    return report


def text_of(report: dict[str, Any]) -> str:
    console = Console(width=250, file=io.StringIO())
    with console.capture() as shown:
        console.print(report_screen(report))
    return shown.get()


def test_every_figure_is_what_plain_counting_gives(shop: Shop) -> None:
    counted = run_experiment(shop)
    report = written(shop)
    assert (report["experiment"], report["people"], report["requests"]) == (EXPERIMENT, 2 * PEOPLE, 4 * PEOPLE)
    for arm, mine in counted.items():
        metrics = report["arms"][arm]["metrics"]
        assert report["arms"][arm]["people"] == PEOPLE
        for name, total in (("attach_rate", "attached"), ("click_rate", "clicked")):
            assert metrics[name]["value"] == mine[total] / mine["requests"]
        for name in ("value", "margin"):
            assert metrics[f"{name}_per_request"]["value"] == pytest.approx(mine[name] / mine["requests"])
    effect = report["arms"]["other"]["metrics"]["attach_rate"]["effect"]
    rates = [counted[arm]["attached"] / counted[arm]["requests"] for arm in ("other", "control")]
    assert effect["absolute"] == pytest.approx(rates[0] - rates[1])
    assert effect["relative"] == pytest.approx(rates[0] / rates[1] - 1)
    assert effect["verdict"] == "higher"
    assert report["arms"]["control"]["metrics"]["attach_rate"]["effect"] is None
    assert {"made_by", "at", "code", "data"} <= set(report)


def test_guardrails_tell_what_an_arm_breaks_with_the_number(shop: Shop) -> None:
    run_experiment(shop, slow=True)
    rails = written(shop)["arms"]["other"]["guardrails"]
    assert (rails["latency_p99_ms"]["figure"], rails["latency_p99_ms"]["verdict"]) == (40.0, "broken")
    assert rails["distinct_products"]["verdict"] == "broken"
    assert rails["fallback_share"] == {"figure": 0.0, "limit": 0.01, "verdict": "ok", "at_least": False}
    shown = written(shop)["arms"]["control"]["guardrails"]
    assert shown["latency_p99_ms"]["verdict"] == "ok"


def test_margin_is_broken_only_where_it_surely_fell(shop: Shop) -> None:
    run_experiment(shop)
    rail = written(shop)["arms"]["other"]["guardrails"]["margin"]
    assert rail["figure"] < rail["limit"] == -0.05
    assert rail["verdict"] == "broken"
    strict = replace_watched(shop, tightest_at_people=100_000_000)  # nothing is sure yet
    assert strict["arms"]["other"]["guardrails"]["margin"]["verdict"] == "ok"


def replace_watched(shop: Shop, **watched: Any) -> dict[str, Any]:
    settings = load_settings(home=shop.settings.home, monitoring={"bootstrap_samples": 100, **watched})
    report = write_report(settings, Question())
    assert report is not None
    return report


def test_people_who_did_not_split_as_planned_are_told_before_anything_else(shop: Shop) -> None:
    run_experiment(shop)
    trusted, broken = written(shop, shares=FULL), written(shop, shares={"control": 0.7, "other": 0.3})
    assert trusted["split"]["trusted"]
    assert not broken["split"]["trusted"]
    assert "DO NOT TRUST THIS REPORT" in text_of(broken)
    assert "DO NOT TRUST" not in text_of(trusted)


def test_people_who_saw_several_arms_are_counted_and_left_out(shop: Shop) -> None:
    counted = run_experiment(shop, strays=5)
    report = written(shop)
    assert (report["people_in_several_arms"], report["people"]) == (5, 2 * PEOPLE + 5)
    assert report["arms"]["control"]["requests"] == counted["control"]["requests"]
    assert "5 people were shown more than one arm" in text_of(report)


def test_too_few_people_tell_nothing(shop: Shop) -> None:
    shop.shows(*(answer(f"{arm}{n}", "p", unit=f"{arm}{n}", session=None, arm=arm) for arm in FULL for n in range(20)))
    report = written(shop)
    assert report["arms"]["other"]["metrics"]["attach_rate"]["effect"] is None
    verdicts = {rail["verdict"] for rail in report["arms"]["other"]["guardrails"].values()}
    assert verdicts == {"too few"}
    assert "too few people" in text_of(report)


def test_of_a_shadow_that_chance_never_follows_nothing_is_told(shop: Shop) -> None:
    shadow = {"stranger": ["first", "elsewhere"]}
    shop.shows(*(answer(f"r{n}", "first", "p", unit=f"u{n}", propensities=[1, 0.9], shadow=shadow) for n in range(30)))
    report = written(shop)
    assert report["exploration"]["control"]["epsilon"] is None
    assert report["exploration"]["control"]["policies"]["as shadow stranger"]["mean_weight"] == 0.0
    (line,) = [line for line in text_of(report).splitlines() if "as shadow stranger" in line]
    assert line.count("–") == 4
    assert "of no single epsilon" in " ".join(text_of(report).replace("│", " ").split())


def test_an_arm_that_was_planned_and_never_shown_raises_the_alarm(shop: Shop) -> None:
    shop.shows(*(answer(f"r{n}", "p", unit=f"u{n}", session=None) for n in range(40)))
    report = written(shop, shares=FULL)
    assert report["split"]["people"] == {"control": 40, "other": 0}
    assert not report["split"]["trusted"]
    assert "–" in text_of(report)


def test_what_was_explored_is_in_the_report(shop: Shop) -> None:
    def line(n: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        chance = n % 5 == 0
        products, last = (["first", "p3"], 0.02) if chance else (["first", "ranked"], 0.82)
        return answer(f"r{n}", *products, unit=f"u{n}", session=f"s{n}", propensities=[1.0, last], explored=chance)

    shop.shows(*(line(n) for n in range(100)))
    shop.does("add", "ranked", message="1", session="s1")
    report = written(shop)
    found = report["exploration"]["control"]
    assert (found["places"], found["epsilon"], found["as_shown"]["value"]) == (100, pytest.approx(0.2), 0.01)
    assert found["policies"]["never explore"]["value"]["snips"]["value"] == pytest.approx(1 / 80)
    assert "always explore" in text_of(report)


def test_names_that_are_not_recorded_are_told_with_those_that_are(shop: Shop) -> None:
    assert write_report(shop.settings, Question()) is None
    assert write_report(shop.settings, Question("any")) is None
    shop.shows(answer("r1", "p"), answer("r2", "p", arm="other", unit="u2"))
    with pytest.raises(ConfigError, match="experiment 'e2' is recorded; there are some of e1"):
        write_report(shop.settings, Question("e2"))
    with pytest.raises(ConfigError, match=r"'base': the experiment has control, other.*--control"):
        write_report(shop.settings, Question(control="base"))
    with pytest.raises(ConfigError, match="'other' was shown, but no share"):
        write_report(shop.settings, Question(shares={"control": 1.0}))
    assert written(shop, control="other")["control"] == "other"


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "record").mkdir()
    (tmp_path / "record" / "record.db").write_text("no database at all, but long enough to look at" * 50)
    with pytest.raises(DataError, match="cannot be read"):
        write_report(load_settings(home=tmp_path), Question())


@given(st.randoms())
def test_the_order_of_the_rows_changes_no_entry(chance: np.random.Generator) -> None:
    def row(n: int) -> tuple[Any, ...]:
        return (f"r{n}", NOW + n, f"u{n % 4}", "ab"[n % 2], None, 1, float(n), False, None)

    rows = Rows(
        [row(n) for n in range(8)], [(f"r{n}", "p", n % 2, 1) for n in range(5)], [("r6", "p", 1.0, 5.0, 2.0)], [], []
    )
    shuffled = replace(rows, **{name: list(getattr(rows, name)) for name in ("exposures", "touched")})
    chance.shuffle(shuffled.exposures)
    chance.shuffle(shuffled.touched)
    first, other = observe(rows), observe(shuffled)
    order = [other.request_ids.index(name) for name in first.request_ids]
    for name in ("arm", "unit", "at", "latency_ms", "clicked", "attached", "value", "margin"):
        assert getattr(other, name)[order].tolist() == getattr(first, name).tolist()
    assert first.attached.tolist() == [True] * 5 + [False, True, False]
    assert (first.people, first.astray) == (4, 0)


@pytest.fixture
def command(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Run `tillwise experiment report` on the shop, and return what it prints."""
    monkeypatch.setenv("TILLWISE_HOME", str(shop.settings.home))
    monkeypatch.setenv("TILLWISE_MONITORING__BOOTSTRAP_SAMPLES", "100")
    monkeypatch.setenv("COLUMNS", "220")

    def run(*options: str) -> str:
        done = CliRunner().invoke(command_tree(), ["experiment", "report", *options])
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def test_the_command_shows_tables_or_one_document(shop: Shop, command: Callable[..., str]) -> None:
    run_experiment(shop)
    told = command()
    assert "Experiment e1" in told
    assert "Guardrails" in told
    half = moment(NOW + 2 * PEOPLE)
    report = json.loads(command("--json", "--experiment", EXPERIMENT, "--since", half, "--shares", "control=1,other=1"))
    assert (report["requests"], report["since"], report["shares_told"]) == (2 * PEOPLE, half, True)


def test_the_command_says_when_there_is_nothing(shop: Shop, command: Callable[..., str]) -> None:
    assert command() == "No exposure of an experiment is recorded.\n"
    assert json.loads(command("--json")) is None
    shop.shows(answer("r1", "p"))
    assert command("--since", moment(NOW + 60)) == "No exposure of an experiment is recorded since then.\n"


@pytest.mark.parametrize(
    ("read", "text"), [(read_moment, "yesterday"), (read_shares, "control"), (read_shares, "a=0,b=1")]
)
def test_options_that_tell_nothing_are_refused_with_an_example(read: Callable[[str], object], text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"write (2026-01-31|control=0\.5)"):
        read(text)


def test_a_moment_without_a_zone_is_utc_and_shares_need_not_add_up() -> None:
    assert read_moment("2026-01-31").isoformat() == "2026-01-31T00:00:00+00:00"
    assert read_moment("2026-01-31T09:00:00+01:00").timestamp() == read_moment("2026-01-31T08:00:00").timestamp()
    assert read_shares("a=1,b=3") == {"a": 0.25, "b": 0.75}
