"""Bodies are decompressed within bounds."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bodies import BodyTooLargeError, UnknownEncodingError, plain
from events.contract import InvalidEventError

LIMIT = 1_000


@given(st.binary(max_size=LIMIT))
def test_what_a_client_compressed_comes_out_as_it_was(body: bytes) -> None:
    assert plain(gzip.compress(body), "gzip", LIMIT + 100) == body
    assert plain(body, None, LIMIT) == plain(body, "Identity", LIMIT) == body


def test_the_limit_holds_before_and_after_decompression() -> None:
    assert len(plain(gzip.compress(b"x" * LIMIT), "gzip", LIMIT)) == LIMIT
    for body, encoding in ((gzip.compress(b"x" * (LIMIT + 1)), "gzip"), (b"x" * (LIMIT + 1), None)):
        with pytest.raises(BodyTooLargeError, match="larger than 1000 bytes"):
            plain(body, encoding, LIMIT)


def test_a_bomb_is_not_inflated_beyond_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    most: list[int] = []
    real = zlib.decompressobj

    class Watched:
        def __init__(self, wbits: int) -> None:
            self._inner = real(wbits)

        def decompress(self, data: bytes, most_bytes: int) -> bytes:
            text = self._inner.decompress(data, most_bytes)
            most.append(len(text))
            return text

    bomb = gzip.compress(b"\0" * 50_000_000)
    monkeypatch.setattr(zlib, "decompressobj", Watched)
    with pytest.raises(BodyTooLargeError):
        plain(bomb, "gzip", 100_000)
    assert max(most) <= 100_001


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"plain text",
        gzip.compress(b"{}", mtime=0)[:-3],
        gzip.compress(b"{}", mtime=0) + b"x",
        gzip.compress(b"a", mtime=0) * 2,
    ],
)
def test_what_is_no_gzip_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidEventError, match="no valid gzip"):
        plain(body, "gzip", LIMIT)


def test_another_encoding_is_refused_by_name() -> None:
    with pytest.raises(UnknownEncodingError, match="'br'"):
        plain(b"", "br", LIMIT)
