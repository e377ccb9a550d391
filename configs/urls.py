"""URLs as they may be shown: without what opens a door."""

from __future__ import annotations

from urllib.parse import urlsplit


def without_password(url: str) -> str:
    """Return scheme, host and path of a URL: neither user, password nor options."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
