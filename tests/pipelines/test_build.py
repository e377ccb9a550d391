"""The build runs exactly the stages whose inputs changed."""

from __future__ import annotations

import errno
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from configs import Settings
from configs.errors import AlreadyRunningError, ConfigError, DataError, DiskFullError, StageError
from configs.home import read_json
from configs.lock import exclusive
from pipelines.build import build, plan, run_alone
from pipelines.disk import means_disk_full
from pipelines.stages import STAGES, stages_up_to
from tests.pipelines.fake_stages import CHAIN, MEGABYTES, OUTSIDE, stage
from tests.pipelines.support import RememberingDisplay, settings_in
from tests.support.waiting import running


def run(settings: Settings, target: str = "last", **options: Any) -> list[str]:
    """Build and return the names of the stages that ran."""
    display = RememberingDisplay()
    build(settings, target, display, **({"stages": CHAIN} | options))
    return display.ran


@pytest.fixture(scope="module")
def built_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    assert run(settings_in(folder)) == ["first", "second", "aside", "last"]
    return folder


@pytest.fixture
def built(built_once: Path, tmp_path: Path) -> Path:
    """A work folder in which everything has been built."""
    shutil.copytree(built_once, tmp_path, dirs_exist_ok=True)
    return tmp_path


def test_a_second_build_reuses_everything(built: Path) -> None:
    assert run(settings_in(built)) == []


def test_only_what_the_target_needs_is_built(tmp_path: Path) -> None:
    assert run(settings_in(tmp_path), "second") == ["first", "second"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"dataset": "another"}, ["first", "second", "aside", "last"]),
        ({"windows": {"test_days": 7}}, ["second", "last"]),
        ({"training": {"trees": 11}}, ["aside", "last"]),
        ({"replay": {"seed": 99}}, ["last"]),
        ({"serving": {"port": 4321}}, []),
    ],
)
def test_a_changed_setting_runs_exactly_the_stages_that_depend_on_it(
    built: Path, changed: dict[str, Any], expected: list[str]
) -> None:
    assert run(settings_in(built, **changed)) == expected


def test_a_changed_input_runs_everything_that_rests_on_it(built: Path) -> None:
    (built / OUTSIDE).write_text("new rows")
    assert run(settings_in(built)) == ["first", "second", "aside", "last"]


def test_a_missing_output_runs_its_stage_alone(built: Path) -> None:
    shutil.rmtree(built / "aside")
    assert run(settings_in(built)) == ["aside"]


def test_a_result_lost_elsewhere_runs_its_stage_alone(built: Path) -> None:
    (built / "lost").touch()
    assert run(settings_in(built)) == ["last"]


def test_force_runs_the_target_and_nothing_else(built: Path) -> None:
    assert run(settings_in(built), "second", force=True) == ["second"]


def test_force_runs_the_steps_of_the_target_as_well(built: Path) -> None:
    stages = tuple(replace(stage, steps=("second",)) if stage.name == "last" else stage for stage in CHAIN)
    assert run(settings_in(built), stages=stages, force=True) == ["second", "last"]
    assert run(settings_in(built), "second", stages=stages, force=True) == ["second"]


def test_a_setting_changed_back_does_not_revive_the_old_record(built: Path) -> None:
    run(settings_in(built, windows={"test_days": 7}))
    assert run(settings_in(built)) == ["second", "last"]


def test_a_failed_run_counts_as_not_run(built: Path) -> None:
    failing = (*CHAIN[:3], stage("wrong_data", upstream=("second",)))
    settings = settings_in(built)
    with pytest.raises(DataError, match="a price of 'seven'"):
        run(settings, "wrong_data", stages=failing)
    assert read_json(settings.work.stages / "wrong_data.json") is None
    assert not plan(settings, "wrong_data", failing)[-1].fresh


def test_a_record_tells_what_was_done_and_what_it_cost(built: Path) -> None:
    record = read_json(built / "stages" / "second.json")
    assert record["report"]["rejected"] == {"too small": 1}
    assert record["report"]["read"] == {"rows": 3}
    assert record["seconds"] > 0
    assert record["peak_mb"] > 10
    assert set(record) == {"fingerprint", "report", "seconds", "peak_mb", "finished_at"}


def test_peak_memory_is_that_of_the_stage_process(tmp_path: Path) -> None:
    outcomes = build(settings_in(tmp_path), "hog", RememberingDisplay(), stages=(stage("hog"), stage("vanish")))
    assert outcomes[0].record.peak_mb > MEGABYTES


def test_what_a_stage_says_reaches_the_display(tmp_path: Path) -> None:
    display = RememberingDisplay()
    build(settings_in(tmp_path), "first", display, stages=CHAIN)
    assert ("halfway", 0.5) in display.messages


def test_a_rerun_is_expected_to_take_as_long_as_last_time(built: Path) -> None:
    steps = plan(settings_in(built, windows={"test_days": 7}), "last", CHAIN)
    recorded = read_json(built / "stages" / "second.json")["seconds"]
    assert [step.expected_seconds for step in steps if step.stage.name == "second"] == [recorded]


def test_a_stage_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"exit code 9 .* ends with: about to vanish"):
        run(settings_in(tmp_path), "vanish", stages=(stage("vanish"),))


def test_a_defect_is_told_in_one_sentence_and_traced_in_the_log(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="ZeroDivisionError") as caught:
        run(settings_in(tmp_path), "defect", stages=(stage("defect"),))
    assert "\n" not in str(caught.value)
    assert "Traceback" in (tmp_path / "logs" / "stage-defect.log").read_text()


def test_a_disk_that_fills_up_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="filled up while stage disk_full ran"):
        run(settings_in(tmp_path), "disk_full", stages=(stage("disk_full"),))
    assert not list(tmp_path.glob("**/*.partial"))


def test_too_little_free_space_is_told_before_anything_runs(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, min_free_gb=10**9)
    with pytest.raises(DiskFullError, match=r"GiB are free .* asks for 1e\+09.*TILLWISE_HOME"):
        run(settings)
    assert not (tmp_path / "trace.txt").exists()


def test_a_full_disk_is_recognised_behind_another_error() -> None:
    behind = RuntimeError("could not write")
    behind.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert means_disk_full(behind)
    assert means_disk_full(RuntimeError("database or disk is full"))
    assert not means_disk_full(ValueError("full of errors"))


def test_two_builds_of_one_work_folder_do_not_overlap(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with (
        exclusive(settings.work.run / "build.lock", what="A build"),
        pytest.raises(AlreadyRunningError, match=r"A build is already under way .* \(process \d+\)"),
    ):
        run(settings)
    assert run(settings, "first") == ["first"]


def test_stages_that_do_not_rest_on_each_other_run_beside_each_other(tmp_path: Path) -> None:
    pair = (stage("meets"), stage("other"), stage("last", upstream=("meets", "other")))
    outcomes = build(settings_in(tmp_path), "last", RememberingDisplay(), stages=pair)
    assert [outcome.record.report.stage for outcome in outcomes] == ["meets", "other", "last"]
    assert (tmp_path / "trace.txt").read_text().split()[-1] == "last"


def test_an_error_of_one_stage_ends_the_one_beside_it_and_what_it_wrote(tmp_path: Path) -> None:
    pair = (stage("slow"), stage("fails_beside_slow"), stage("last", upstream=("slow", "fails_beside_slow")))
    settings = settings_in(tmp_path)
    with pytest.raises(DataError, match="Half of the rows"):
        run(settings, stages=pair)
    assert not any(running(int(pid)) for pid in (tmp_path / "pids.txt").read_text().split())
    assert not list(tmp_path.glob("**/*.partial"))
    assert [item.name for item in settings.work.stages.glob("*")] == []


def test_a_build_waits_for_another_one_if_it_is_told_to(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with exclusive(settings.work.run / "build.lock", what="A build"):
        free = threading.Timer(0.5, lambda: None)
        free.start()
        done = threading.Thread(target=run, args=(settings, "first"), kwargs={"patience": 30.0})
        done.start()
        free.join()
        assert not (tmp_path / "first").exists()
    done.join()
    assert (tmp_path / "first").exists()


def test_what_has_a_lock_of_its_own_runs_beside_a_build_but_not_beside_itself(tmp_path: Path) -> None:
    settings, decides = settings_in(tmp_path), (stage("first", lock="aliases"),)
    with exclusive(settings.work.run / "build.lock", what="A build"):
        assert run_alone(settings, "first", RememberingDisplay(), {}, decides).ran
    with (
        exclusive(settings.work.run / "aliases.lock", what="Another"),
        pytest.raises(AlreadyRunningError, match="What decides about aliases is already under way"),
    ):
        run_alone(settings, "first", RememberingDisplay(), {}, decides, patience=0.0)


def test_a_stage_run_alone_leaves_the_records_as_they_are(built: Path) -> None:
    before = read_json(built / "stages" / "second.json")
    outcome = run_alone(settings_in(built), "second", RememberingDisplay(), {}, CHAIN)
    assert outcome.ran
    assert read_json(built / "stages" / "second.json") == before


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"no stage 'feature'.*ingest, features, examples"):
        stages_up_to("feature")


def test_every_stage_of_the_table_comes_after_what_it_rests_on() -> None:
    names = [item.name for item in STAGES]
    for position, item in enumerate(STAGES):
        assert set(item.upstream) <= set(names[:position])
