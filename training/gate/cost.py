"""What a package costs to serve: ranking time and memory, measured in a process of its own.

Memory is that of a process that holds the package and nothing of the gate. Ranking times of two packages are taken in
one process, request by request in turn, so that whatever else the machine does meets both alike. They are processor
time: a busy machine makes a request wait, and that says nothing of the package. What waiting does, the trial tells.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from configs.errors import StageError
from configs.gating import GateSettings
from training.gate.verdict import Check
from training.golden import Golden, save_golden
from training.package import ModelPackage

MIB = 2**20
MODEL = "model"


@dataclass(frozen=True)
class Cost:
    """What ranking with a package costs.

    Attributes:
        p50_ms, p99_ms: processor time of ranking one request, in one thread.
        memory_mb: resident memory, in MiB, of a process that does it. size_mb: of the package's files.
        beside: p50_ms and p99_ms of the package that was timed beside it, if one was.
    """

    p50_ms: float
    p99_ms: float
    memory_mb: float
    size_mb: float
    beside: tuple[float, float] | None

    @property
    def ratio(self) -> float:
        """Median time by that of the package beside; 1 without one."""
        return 1.0 if self.beside is None else self.p50_ms / self.beside[0]


def cost_of(folder: Path, beside: Path | None, requests: Sequence[Golden], k: int, repeats: int) -> Cost:
    """Return what ranking with a package costs, measured in a fresh process.

    Args:
        folder: of a whole package. beside: of another that is timed with it, request by request in turn.
        requests: at least one; each is asked `repeats` times, its fastest answer counts. k: items asked for.

    Raises:
        StageError: the measuring process ended early.
    """
    folders = [folder] if beside is None else [folder, beside]
    found = _measured(folders, requests, k, repeats)
    (p50, p99), *others = (np.percentile(row, [50, 99]).round(3).tolist() for row in found["ms"])
    other = (others[0][0], others[0][1]) if others else None
    return Cost(p50, p99, round(found["memory_mb"], 1), size_mb(folder), other)


def recorded_requests(package: ModelPackage) -> list[Golden]:
    """Return the requests that a package brings along, where there are no baskets to ask about."""
    return [item for item in package.golden if item.arm == MODEL]


def size_mb(folder: Path) -> float:
    """Return MiB of a package's files."""
    return round(sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB, 1)


def in_time(cost: Cost, gate: GateSettings) -> Check:
    """Check that ranking stays within its time budget."""
    passed = cost.p99_ms <= gate.rank_p99_ms
    figures = {"p50_ms": cost.p50_ms, "p99_ms": cost.p99_ms}
    says = (
        f"ranking a request takes {cost.p99_ms:.2f} ms of processor time at the 99th percentile, "
        f"{'within' if passed else 'above'} the budget of {gate.rank_p99_ms:g} ms"
    )
    if cost.beside is not None:
        figures |= {"champion_p50_ms": cost.beside[0], "champion_p99_ms": cost.beside[1]}
        says += f"; with the champion it takes {cost.beside[1]:.2f} ms"
    return Check("latency", passed, f"p99 {cost.p99_ms:.2f} ms", f"≤ {gate.rank_p99_ms:g} ms", says, figures)


def in_memory(cost: Cost, gate: GateSettings) -> Check:
    """Check that loading and ranking stay within their memory budget."""
    passed = cost.memory_mb <= gate.memory_mb
    says = (
        f"a process that ranks with it holds {cost.memory_mb:.0f} MiB, {'within' if passed else 'above'} the budget of "
        f"{gate.memory_mb:g} MiB; its files are {cost.size_mb:.0f} MiB"
    )
    figures = {"memory_mb": cost.memory_mb, "size_mb": cost.size_mb}
    return Check("memory", passed, f"{cost.memory_mb:.0f} MiB", f"≤ {gate.memory_mb:g} MiB", says, figures)


def _measured(folders: Sequence[Path], requests: Sequence[Golden], k: int, repeats: int) -> Any:
    """Return what a fresh process measures; it ends with it."""
    with tempfile.TemporaryDirectory() as folder:
        asked = Path(folder) / "requests.parquet"
        save_golden(asked, requests)
        told = {"folders": [str(path.resolve()) for path in folders], "requests": str(asked)}
        done = subprocess.run(
            [sys.executable, "-m", "training.gate.measuring"],
            input=json.dumps(told | {"k": k, "repeats": repeats}),
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        last = " ".join(done.stderr.strip().splitlines()[-1:]) or f"exit code {done.returncode}"
        raise StageError(
            f"The process that measures {' and '.join(map(str, folders))} ended early ({last}): if the system ran out "
            "of memory, close other programs; otherwise train again."
        )
    return json.loads(done.stdout)
