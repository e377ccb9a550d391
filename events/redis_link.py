"""Asking Redis in one round trip with little processor time of our own: the way of what every recommendation reads.

redis-py's pipeline packs commands in Python, starts a task a write and a timer a reply, and records metrics that nobody
reads. Here hiredis packs, and whoever asks bounds the time. Connections, their pool and their mending stay redis-py's.
"""

from __future__ import annotations

from typing import Any

import hiredis
import redis.asyncio as redis
from redis.exceptions import ResponseError

Part = str | int | float | bytes | memoryview


class Link(redis.Connection):
    """A connection that is found broken before it is used without asking the operating system."""

    async def can_read_destructive(self) -> bool:
        """Return whether something lies there that nobody has asked for, be it the end of the connection."""
        reader: Any = self._reader
        return reader is None or reader.at_eof() or len(reader._buffer) > 0  # as redis-py looks at it


class Links(redis.ConnectionPool):
    """A pool that keeps no statistics of its connections, each of which is to be a `Link`."""

    async def get_connection(self, command_name: Any = None, *keys: Any, **options: Any) -> Any:
        """Return a connection that can be used; see `redis.ConnectionPool`."""
        connection: Any = self.get_available_connection()  # type: ignore[no-untyped-call]  # redis-py tells no type
        try:
            if not connection.is_connected or await connection.can_read_destructive():
                await self.ensure_connection(connection)
        except BaseException:
            await self.release(connection)
            raise
        return connection

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        self._in_use_connections.remove(connection)
        self._available_connections.append(connection)


class Commands:
    """Commands for one round trip; its methods are called as those of a redis-py pipeline.

    Attributes:
        packed: each command as Redis reads it.
    """

    def __init__(self) -> None:
        self.packed: list[bytes] = []

    def execute_command(self, *parts: Part) -> None:
        """Add a command."""
        self.packed.append(hiredis.pack_command(parts))  # type: ignore[arg-type]  # its stub names a tuple of one

    def get(self, key: str | bytes) -> None:
        """Add GET."""
        self.execute_command("GET", key)

    def evalsha(self, digest: str, keys: int, *arguments: Part) -> None:
        """Add EVALSHA."""
        self.execute_command("EVALSHA", digest, keys, *arguments)


async def exchange(client: Any, commands: Commands) -> list[Any]:
    """Return the replies, errors among them; the client's policy says how often a broken connection is tried anew.

    Raises:
        RedisError, OSError: Redis does not answer.
    """
    pool = client.connection_pool
    connection = await pool.get_connection()
    try:
        found: list[Any] = await connection.retry.call_with_retry(
            lambda: _exchange(connection, commands), lambda error: connection.disconnect(error=error)
        )
    finally:
        await pool.release(connection)
    return found


async def _exchange(connection: Any, commands: Commands) -> list[Any]:
    await connection.send_packed_command(b"".join(commands.packed))
    replies: list[Any] = []
    for _ in commands.packed:
        try:
            replies.append(await connection.read_response())
        except ResponseError as error:
            replies.append(error)
    return replies
