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
    with display.build({"first": 100.0, "second": 40.0}):
        display.reused(stage("aside"), RECORD)
        display.started(stage("first"))
        display.progressed("sorting", 0.4)
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


def test_the_time_left_is_that_of_the_running_stage_and_all_later_ones() -> None:
    estimate = Estimate({"first": 100.0, "second": 40.0})
    assert estimate.left("first", 30.0, 0.0) == 70.0 + 40.0
    assert estimate.left("second", 50.0, 0.0) == 0.0


def test_a_stage_that_is_nearly_done_is_believed_over_its_history() -> None:
    estimate = Estimate({"first": 100.0})
    assert estimate.left("first", 150.0, 0.5) == 75.0  # half of what its own pace says: history expected it to be over
    assert estimate.left("first", 200.0, 1.0) == 0.0


def test_durations_read_as_a_person_says_them() -> None:
    assert [spoken(seconds) for seconds in (0.4, 40, 89.4, 200)] == ["0 s", "40 s", "89 s", "3 min 20 s"]
