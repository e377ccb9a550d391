"""Stage `compact`: the closed days of the event log become one file each."""

from __future__ import annotations

import time

from configs import Progress, Settings, StageReport
from events.record.log import compact, log_folder


def compaction(settings: Settings, progress: Progress) -> StageReport:
    """Compact what can be; another process that does so already is left to it."""
    progress.update("merging the files of closed days", 0.1)
    done = compact(log_folder(settings), time.time())
    return StageReport("compact", read={"files": sum(done.values())}, wrote={"files": len(done)})
