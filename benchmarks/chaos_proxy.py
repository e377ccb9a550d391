"""A TCP proxy that stands in front of Redis and makes it slow, silent, or a liar."""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any, Self

CHUNK = 65_536
GARBAGE = b"\x00\xffnot what Redis says\r\n"


class Proxy:
    """Passes bytes on between whoever connects and a server on 127.0.0.1; a context manager.

    Attributes:
        delay: seconds by which every answer is late. silent: no answer comes at all. lying: it is not Redis' own.

    Args:
        port: to listen on. target: port of the server.
    """

    def __init__(self, port: int, target: int) -> None:
        self._port, self._target = port, target
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[Any]] = set()
        self.delay, self.silent, self.lying = 0.0, False, False

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.close()
        if self._serving:
            await asyncio.wait(self._serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        if (task := asyncio.current_task()) is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        try:
            theirs = await asyncio.open_connection("127.0.0.1", self._target)
            self._open.add(theirs[1])
            try:
                await asyncio.gather(self._pass(reader, theirs[1]), self._pass(theirs[0], writer, answers=True))
            finally:
                self._open.discard(theirs[1])
                theirs[1].close()
        except OSError:
            pass  # as if whoever connected had met the server itself
        finally:
            self._open.discard(writer)
            writer.close()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with contextlib.suppress(OSError):
            while chunk := await source.read(CHUNK):
                if answers and self.silent:
                    continue
                if answers and self.delay:
                    await asyncio.sleep(self.delay)
                sink.write(GARBAGE if answers and self.lying else chunk)
                await sink.drain()
        sink.close()
