"""Child processes that never outlive their parent."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def start_child(
    command: Sequence[str | Path],
    output: IO[bytes] | int,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    leads_group: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process without input, which ends when the thread that started it does.

    Args:
        command: program and arguments. output: takes what it prints, errors too. env, cwd: ours if not given.
        leads_group: whether it gets a process group of its own, which Ctrl-C does not reach.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=leads_group,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - one system call, which waits for no lock of another thread
    )


def die_with_parent() -> None:
    """Ask the kernel to send this process SIGTERM when its parent dies.

    Linux only; elsewhere it does nothing, and a killed parent leaves its children to `tillwise down`.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
