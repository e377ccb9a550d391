"""Answers that browsers and a CDN may keep: a tag that changes with the model, and how long nobody needs to ask."""

from __future__ import annotations

import hashlib
from typing import TypeVar

import msgspec
from litestar import MediaType, Response

T = TypeVar("T")


class PublicCache:
    """What every answer that is the same for everybody carries.

    Args:
        seconds: for which it may be shown without asking; 0: it may be kept, but is always asked for.
        by_origin: whether answers differ by the asking page's origin (CORS), so that a CDN keeps them apart.
    """

    def __init__(self, seconds: int, *, by_origin: bool) -> None:
        self._headers = {"Cache-Control": f"public, max-age={seconds}" if seconds else "public, no-cache"}
        if by_origin:
            self._headers["Vary"] = "Origin"

    def answer(self, content: T, asked: str | None, *made_of: str | int) -> Response[T]:
        """Return the answer, or that it has not changed.

        Args:
            content: of the answer. asked: the header If-None-Match.
            made_of: all that the content depends on: the model's version, the parameters.
        """
        tag = tag_of(*made_of)
        headers = self._headers | {"ETag": tag}
        if asked is not None and _matches(asked, tag):
            return Response(content=None, status_code=304, headers=headers)  # type: ignore[arg-type]  # a 304 has none
        return Response(content, media_type=MediaType.JSON, headers=headers)


def tag_of(*made_of: str | int) -> str:
    """Return the entity tag of what is made of these values."""
    return f'"{hashlib.blake2b(msgspec.json.encode(made_of), digest_size=12).hexdigest()}"'


def _matches(asked: str, tag: str) -> bool:
    """Compare weakly, as RFC 9110 asks for; a proxy that compresses makes tags weak."""
    told = {one.strip().removeprefix("W/") for one in asked.split(",")}
    return tag in told or "*" in told
