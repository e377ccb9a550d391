"""Connections to RabbitMQ and the queues on them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import AMQPError, ChannelNotFoundEntity, ChannelPreconditionFailed

from configs.errors import PartError
from events.brokers.attempt import SharedAttempt

ANSWER_SECONDS = 10.0
CONNECT_SECONDS = 5.0
FAILURES = (AMQPError, OSError, TimeoutError, aio_pika.exceptions.AMQPException, RuntimeError)
"""What the client raises when the server, the connection or the channel is gone."""

for _library in ("aio_pika", "aiormq"):
    logging.getLogger(_library).addHandler(logging.NullHandler())  # a process that configures no logs shows none


class Link:
    """One connection with one channel, made when first needed and again after it was lost.

    Args:
        url: amqp:// or amqps:// URL.
        confirms: whether the server confirms what is published.
        prepare: called with each new channel before anything else uses it.
    """

    def __init__(self, url: str, *, confirms: bool, prepare: Callable[[Link], Awaitable[None]]) -> None:
        self._url, self._confirms, self._prepare = url, confirms, prepare
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._connecting = SharedAttempt(self._connect)
        self._prepared = False
        self.generation = 0

    @property
    def connection(self) -> AbstractConnection:
        """The connection; only while open."""
        if self._connection is None:
            raise ConnectionError("not connected")
        return self._connection

    @property
    def channel(self) -> AbstractChannel:
        """The channel; only while open."""
        if self._channel is None:
            raise ConnectionError("not connected")
        return self._channel

    async def open(self) -> AbstractChannel:
        """Return a channel that works as far as is known.

        Raises:
            PartError: the server does not answer.
        """
        if not self._usable():
            await self._connecting()
        if self._channel is None:
            raise PartError("RabbitMQ does not answer (the connection was lost).")
        return self._channel

    def _usable(self) -> bool:
        connection, channel = self._connection, self._channel
        return self._prepared and not (
            connection is None or channel is None or connection.is_closed or channel.is_closed
        )

    async def _connect(self) -> None:
        await self.drop()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._connection = await aio_pika.connect(self._url, timeout=CONNECT_SECONDS)
                await self.renew_channel()
                self.generation += 1
                await self._prepare(self)
                self._prepared = True
        except FAILURES as error:
            await self.drop()
            raise PartError(f"RabbitMQ does not answer ({described(error)}).") from None

    def renew(self) -> None:
        """Have the next `open` connect and prepare again."""
        self._prepared = False

    async def renew_channel(self) -> None:
        """Open a channel in place of one that the server closed because it refused something."""
        self._channel = await self.connection.channel(
            publisher_confirms=self._confirms, on_return_raises=self._confirms
        )

    async def drop(self) -> None:
        """Close what is open; the next `open` connects again."""
        connection, self._connection, self._channel, self._prepared = self._connection, None, None, False
        if connection is not None:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await connection.close()
            except FAILURES:
                return  # it was gone

    async def declare(self, name: str, arguments: dict[str, Any]) -> str:
        """Make a durable queue unless it is there, and return its name.

        It becomes a replicated quorum queue with the arguments; one that is there with other arguments is used as it
        is; where the server knows no quorum queues it becomes a classic one.
        """
        try:
            await self.channel.declare_queue(name, durable=True, arguments={"x-queue-type": "quorum"} | arguments)
            return name
        except ChannelPreconditionFailed:
            await self.renew_channel()
        try:
            await self.channel.declare_queue(name, passive=True)
        except ChannelNotFoundEntity:
            await self.renew_channel()
            plain = {key: value for key, value in arguments.items() if key != "x-dead-letter-strategy"}
            await self.channel.declare_queue(name, durable=True, arguments=plain)
        return name


def described(error: BaseException) -> str:
    """Return what a client error says; its address holds no password."""
    return str(error) or type(error).__name__
