"""Whether the work folder has room: before a build, and behind whatever error a full disk shows up as."""

from __future__ import annotations

import errno
import shutil

from configs import Settings
from configs.causes import causes
from configs.errors import DiskFullError

GIB = 2**30
SIGNS = ("No space left on device", "disk is full", "disk full")


def require_room(settings: Settings) -> None:
    """Check that a build may start.

    Raises:
        DiskFullError: fewer than `settings.min_free_gb` gibibytes are free where the work folder lies.
    """
    folder = settings.work.root
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GIB
    if free < settings.min_free_gb:
        raise DiskFullError(
            f"Only {free:.2f} GiB are free for the work folder {settings.work.root}, and a build asks for "
            f"{settings.min_free_gb:g}: free some space, choose another disk with TILLWISE_HOME, or ask for less "
            "with TILLWISE_MIN_FREE_GB."
        )


def disk_full_error(folder: object, doing: str) -> DiskFullError:
    """Return the error to raise when the disk turned out to be full while `doing` something."""
    return DiskFullError(
        f"The disk of the work folder {folder} filled up while {doing}: free some space, or choose another disk "
        "with TILLWISE_HOME, and run the same command again; nothing half-written was kept."
    )


def means_disk_full(error: BaseException) -> bool:
    """Return whether a full disk is behind an error, however deep in its chain of causes."""
    return any(
        getattr(link, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or any(sign in str(link) for sign in SIGNS)
        for link in causes(error)
    )
