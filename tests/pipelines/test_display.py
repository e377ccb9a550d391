"""What a person reads while a build runs."""

from __future__ import annotations

import io

from rich.console import Console

from configs import StageReport
from pipelines.display import PlainDisplay, told
from pipelines.estimate import Estimate, spoken
from pipelines.live_display import LiveDisplay, display_for
from pipelines.records import StageRecord
from tests.pipelines.fake_stages import stage

REPORT = StageReport("first", read={"orders": 155848}, wrote={"rows [raw]": 2}, rejected={"no price": 7}, notes=["odd"])
RECORD = StageRecord("f", REPORT, 12.34, 640.2, "2025-01-02T03:04:05+00:00")


def play(display: PlainDisplay | LiveDisplay) -> None:
    with display.build({stage("first"): 100.0, stage("second", upstream=("first",)): 40.0}):
        display.reused(stage("aside"), RECORD)
        display.started(stage("first"))
        display.progressed(stage("first"), "sorting", 0.4)
        display.finished(stage("first"), RECORD)


def test_a_stage_line_says_what_was_read_written_and_rejected() -> None:
    assert told(REPORT) == "read 155,848 orders; wrote 2 rows [raw]; rejected 7 no price"
    assert told(StageReport("first", read={"orders": 1})) == "read 1 orders; rejected nothing"


def test_elsewhere_than_on_a_terminal_each_start_and_end_is_one_line() -> None:
    out = io.StringIO()
    display = display_for(Console(file=out, width=60))
    assert isinstance(display, PlainDisplay)
    play(display)
    assert out.getvalue().splitlines() == [
        "aside: unchanged since 2025-01-02T03:04:05+00:00, reused",
        "first: run first, about 2 min 20 s left",
        "first: read 155,848 orders; wrote 2 rows [raw]; rejected 7 no price; 12.3 s, 640 MiB at most",
        "first: note: odd",
    ]


def test_on_a_terminal_finished_stages_stay_on_screen() -> None:
    out = io.StringIO()
    display = display_for(Console(file=out, force_terminal=True, width=160))
    assert isinstance(display, LiveDisplay)
    play(display)
    assert "rejected 7 no price" in out.getvalue()
    assert "rows [raw]" in out.getvalue()


def test_stages_beside_each_other_live_on_screen_together_each_with_its_own_message() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=160)
    display = LiveDisplay(console)
    left, right = stage("second"), stage("aside")
    with display.build({left: 100.0, right: 40.0}):
        for item, message in ((left, "growing trees"), (right, "fitting a network")):
            display.started(item)
            display.progressed(item, message, 0.5)
        shown = io.StringIO()
        Console(file=shown, width=160).print(display._render())
    rows = [line.split() for line in shown.getvalue().splitlines()]
    assert [(row[1], row[-1]) for row in rows[:2]] == [("second", "trees"), ("aside", "network")]
    assert " ".join(rows[2]) == "run second · 0 s so far · run aside · 0 s so far · about 50 s left"


CHAIN = {stage("first"): 100.0, stage("second", upstream=("first",)): 40.0}
FORK = CHAIN | {stage("aside", upstream=("first",)): 70.0, stage("last", upstream=("second", "aside")): 5.0}


def test_the_time_left_is_that_of_the_running_stage_and_all_later_ones() -> None:
    estimate = Estimate(CHAIN)
    assert estimate.left({"first": (30.0, 0.0)}) == 70.0 + 40.0
    assert estimate.left({"second": (50.0, 0.0)}, {"first"}) == 0.0


def test_of_stages_beside_each_other_the_longest_tells_the_time_left() -> None:
    estimate = Estimate(FORK)
    assert estimate.left({"first": (0.0, 0.0)}) == 100.0 + 70.0 + 5.0
    assert estimate.left({"second": (10.0, 0.0), "aside": (10.0, 0.0)}, {"first"}) == 60.0 + 5.0
    assert estimate.left({"second": (10.0, 0.0)}, {"first", "aside"}) == 30.0 + 5.0


def test_a_stage_that_is_nearly_done_is_believed_over_its_history() -> None:
    estimate = Estimate({stage("first"): 100.0})
    # Half of what its own pace says: history expected it to be over.
    assert estimate.left({"first": (150.0, 0.5)}) == 75.0
    assert estimate.left({"first": (200.0, 1.0)}) == 0.0


def test_durations_read_as_a_person_says_them() -> None:
    assert [spoken(seconds) for seconds in (0.4, 40, 89.4, 200)] == ["0 s", "40 s", "89 s", "3 min 20 s"]
