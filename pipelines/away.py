"""What is behind an error that a library raised: something locked or away for now, or a database that takes nothing."""

from __future__ import annotations

from configs.causes import AWAY, CLOSED, LOCKED, sign_of
from configs.errors import BusyError, StageError

UNWRITABLE = (*CLOSED, "disk i/o error")


def away_error(error: BaseException, stage: str) -> BusyError | None:
    """Return what to raise if something was locked or did not answer; None: it is something else."""
    if (found := sign_of(error, LOCKED)) is not None:
        return BusyError(
            f"Stage {stage} found its database locked by another process ({found}): nothing was changed. Wait until "
            "that one is done, or end it (`fuser FILE` names it), and run the same command again."
        )
    if (found := sign_of(error, AWAY)) is not None:
        return BusyError(
            f"Stage {stage} got no answer from what it needs ({found}): nothing half-written was kept. See that the "
            "servers named in the settings run, and run the same command again."
        )
    return None


def database_error(error: BaseException, stage: str) -> StageError | None:
    """Return what to raise if a database file takes nothing any more; None: it is something else."""
    found = sign_of(error, UNWRITABLE)
    if found is None:
        return None
    return StageError(
        f"Stage {stage} could not write to its database ({found}); what it held before still holds. See that its "
        "disk has room and that the file may be written, and run the same command again."
    )
