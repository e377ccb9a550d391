"""Parts start in order, come back when they crash, and all end with the supervisor: real processes throughout."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from configs.errors import AlreadyRunningError, PartError
from pipelines.parts.backoff import Backoff
from pipelines.parts.command import CommandPart
from pipelines.parts.record import Identity, read_up
from pipelines.parts.supervisor import Supervisor
from tests.pipelines.support import settings_in
from tests.support.waiting import running, wait_until

SLEEPER = "import sys, time; open(sys.argv[1], 'a').write('up '); time.sleep(600)"
WITH_WORKER = (
    "import subprocess, sys, time; "
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); "
    "open(sys.argv[1], 'w').write(str(child.pid)); time.sleep(600)"
)


def part(folder: Path, name: str, code: str = SLEEPER, deadline: float = 20.0) -> CommandPart:
    """Return a part that is ready as soon as its code has written to the file `name`."""
    note = folder / name
    command = [sys.executable, "-c", code, str(note)]

    def noted(pid: int) -> bool:
        return note.exists() and note.read_text() != ""

    return CommandPart(name, command, settings_in(folder), is_ready=noted, deadline=deadline)


def after(condition: Callable[[], bool], seconds: float = 30.0) -> Callable[[], bool]:
    """Return a condition for `watch` that fails the test when it does not come true in time."""
    deadline = time.monotonic() + seconds

    def met() -> bool:
        assert time.monotonic() < deadline, "waited in vain"
        return condition()

    return met


def pid_of(item: CommandPart) -> int:
    assert item.pid is not None
    return item.pid


def test_parts_start_in_order_and_all_end_with_the_block(tmp_path: Path) -> None:
    said: list[str] = []
    parts = [part(tmp_path, "store"), part(tmp_path, "reader")]
    with Supervisor(settings_in(tmp_path).work, parts, said.append):
        pids = [pid_of(item) for item in parts]
        assert [line.split()[0] for line in said] == ["store", "reader"]
        assert all(running(pid) for pid in pids)
    assert not any(running(pid) for pid in pids)
    assert read_up(settings_in(tmp_path).work) is None


def test_what_runs_is_recorded_so_that_it_can_be_found_again(tmp_path: Path) -> None:
    item = part(tmp_path, "store")
    with Supervisor(settings_in(tmp_path).work, [item], print):
        record = read_up(settings_in(tmp_path).work)
        assert record is not None
        assert record.ready
        assert record.supervisor.process() == psutil.Process(os.getpid())
        assert record.parts["store"].process() == psutil.Process(pid_of(item))


def test_a_reused_process_number_is_not_mistaken_for_ours() -> None:
    mine = Identity.of(os.getpid())
    assert mine is not None
    assert mine.process() is not None
    assert Identity(mine.pid, mine.created - 60).process() is None


def test_a_crashed_part_is_started_again_and_its_work_redone(tmp_path: Path) -> None:
    said: list[str] = []
    item = part(tmp_path, "store")
    prepared: list[int] = []
    item.after_ready = lambda: prepared.append(pid_of(item))
    with Supervisor(settings_in(tmp_path).work, [item], said.append) as supervisor:
        first = pid_of(item)
        os.kill(first, signal.SIGKILL)
        supervisor.watch(after(lambda: len(prepared) == 2))
        second = pid_of(item)
        assert prepared == [first, second]
        assert running(second)
    assert said[1].startswith(f"store (process {first}) ended by itself; starting it again in 0.5 s")
    assert said[2] == f"store is back (process {second})."


def test_a_part_that_keeps_crashing_ends_everything_with_the_end_of_its_log(tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1], 'w').write('up'); print('no such table'); sys.exit(3)"
    steady = part(tmp_path, "steady")
    fragile = part(tmp_path, "fragile", code.replace("sys.exit(3)", "import time; time.sleep(0.3); sys.exit(3)"))
    with (
        pytest.raises(PartError, match=r"fragile ended by itself for the 5th time .* ends with: .*no such table"),
        Supervisor(settings_in(tmp_path).work, [steady, fragile], print) as supervisor,
    ):
        supervisor.watch(after(lambda: False, 60))
    assert not running(pid_of(steady))


def test_a_part_that_ends_while_starting_is_told_and_the_others_are_stopped(tmp_path: Path) -> None:
    steady = part(tmp_path, "steady")
    broken = part(tmp_path, "broken", "raise SystemExit('no model is champion')")
    with (
        pytest.raises(PartError, match=r"broken ended while starting; .* ends with: no model is champion"),
        Supervisor(settings_in(tmp_path).work, [steady, broken], print),
    ):
        pytest.fail("a broken part counted as started")
    assert not running(pid_of(steady))


def test_a_part_that_is_never_ready_is_told(tmp_path: Path) -> None:
    mute = part(tmp_path, "mute", "import time; time.sleep(600)", deadline=1.0)
    with (
        pytest.raises(PartError, match="mute was not ready within 1 s"),
        Supervisor(settings_in(tmp_path).work, [mute], print),
    ):
        pytest.fail("a mute part counted as started")
    assert not running(pid_of(mute))


def test_what_a_part_started_ends_with_it(tmp_path: Path) -> None:
    with Supervisor(settings_in(tmp_path).work, [part(tmp_path, "leader", WITH_WORKER)], print):
        worker = int((tmp_path / "leader").read_text())
        assert running(worker)
    wait_until(lambda: not running(worker))


def test_two_supervisors_of_one_work_folder_do_not_overlap(tmp_path: Path) -> None:
    work = settings_in(tmp_path).work
    with (
        Supervisor(work, [], print),
        pytest.raises(AlreadyRunningError, match="Serving is already under way"),
        Supervisor(work, [], print),
    ):
        pytest.fail("two supervisors ran at once")


def test_parts_end_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib, time\n"
        "from tests.pipelines.test_supervisor import part, settings_in, Supervisor\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "with Supervisor(settings_in(folder).work, [part(folder, 'store')], print) as supervisor:\n"
        "    supervisor.watch(lambda: False)\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.DEVNULL)
    work = settings_in(tmp_path).work
    wait_until(lambda: (record := read_up(work)) is not None and record.ready)
    record = read_up(work)
    assert record is not None
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: record.parts["store"].process() is None)


def test_the_pause_before_a_restart_doubles_up_to_a_bound_and_then_ends() -> None:
    backoff = Backoff()
    assert [backoff.crashed(float(second)) for second in range(5)] == [0.5, 1.0, 2.0, 4.0, None]


def test_crashes_long_past_are_forgiven() -> None:
    backoff = Backoff()
    for moment in itertools.islice(itertools.count(0.0, 200.0), 20):
        assert backoff.crashed(moment) == 0.5
    assert backoff.crashes == 1
