"""HTTP for load generators, on raw streams: a full client would cost more than what is measured."""

from __future__ import annotations

import asyncio

OK = 200


def request(verb: str, path: str, body: bytes = b"") -> bytes:
    """Return the bytes of a request with a JSON body, over a connection that is kept open."""
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one answer; return its status and body."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return int(head.split(b" ", 2)[1]), await reader.readexactly(int(length.split(b":")[1]))
