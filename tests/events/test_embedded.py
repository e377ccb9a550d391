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

from configs.errors import PortBusyError
from events.embedded import EmbeddedRedis
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
    with pytest.raises(PortBusyError, match="TILLWISE_REDIS__PORT"):
        EmbeddedRedis(redis_server.port, tmp_path).start()


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
