"""Which partition a session belongs to: the same in every process, whatever the broker."""

from __future__ import annotations

from zlib import crc32


def partition_of(session_id: str, partitions: int) -> int:
    """Return the partition of a session, from 0 to `partitions` − 1."""
    return crc32(session_id.encode("utf-8", "surrogatepass")) % partitions
