"""The bytes of a request body, decompressed within bounds."""

from __future__ import annotations

import zlib

from events.contract import InvalidEventError

_GZIP = 16 + zlib.MAX_WBITS


class BodyTooLargeError(Exception):
    """A body is larger than what is taken; the message says how large it may be."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit} bytes: send fewer calls at a time.")


class UnknownEncodingError(Exception):
    """A body came in an encoding that is not taken."""


def plain(body: bytes, encoding: str | None, limit: int) -> bytes:
    """Return a body as it was before its client compressed it.

    Args:
        body: as it came.
        encoding: the header Content-Encoding; None, "" and "identity" say that it is plain.
        limit: most bytes, compressed or not. Not one more is ever decompressed.

    Raises:
        BodyTooLargeError: it has more. UnknownEncodingError: neither plain nor gzip. InvalidEventError: no gzip.
    """
    name = (encoding or "identity").strip().lower()
    if name not in {"identity", "gzip", "x-gzip"}:
        raise UnknownEncodingError(f"Content-Encoding {name[:40]!r} is not taken: send gzip or plain JSON.")
    if len(body) > limit:
        raise BodyTooLargeError(limit)
    return body if name == "identity" else _inflated(body, limit)


def _inflated(body: bytes, limit: int) -> bytes:
    inflater = zlib.decompressobj(_GZIP)
    try:
        text = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise InvalidEventError("body", f"is no valid gzip: {error}") from None
    if len(text) > limit:
        raise BodyTooLargeError(limit)
    if not inflater.eof or inflater.unused_data:
        raise InvalidEventError("body", "is no valid gzip: it is cut off, or something follows it")
    return text
