"""Child processes as groups: started with exactly our settings, ended whole, quoted when they fail."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from pathlib import Path

from pydantic import BaseModel

from configs import Settings
from configs.settings import PREFIX

SECONDS_TO_CLEAN_UP = 5.0
LOG_LINES_SHOWN = 5


def end_group(process: subprocess.Popen[bytes], patience: float = SECONDS_TO_CLEAN_UP) -> None:
    """Ask a child that leads its process group to end, then kill what is left of the group; return when it is gone.

    Args:
        process: a child that was started with `start_new_session`.
        patience: seconds it is given to clean up. Ctrl-C meanwhile means: now.
    """
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired, KeyboardInterrupt):
            process.wait(patience)
    kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a child that leads its process group, and the group, at once; return when it is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def environment(settings: Settings) -> dict[str, str]:
    """Return this process's environment with `TILLWISE_*` variables that amount to exactly `settings`."""
    inherited = {name: value for name, value in os.environ.items() if not name.upper().startswith(PREFIX)}
    ours: dict[str, str] = {}
    for name in Settings.model_fields:
        value = getattr(settings, name)
        text = value.model_dump_json() if isinstance(value, BaseModel) else str(value)
        ours[f"{PREFIX}{name.upper()}"] = text
    return inherited | ours | {f"{PREFIX}HOME": str(settings.work.root)}


def last_lines(log: Path, count: int = LOG_LINES_SHOWN) -> str:
    """Return the last lines of a log in one."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        lines = []
    return " | ".join(line.strip() for line in lines[-count:] if line.strip()) or "nothing"
