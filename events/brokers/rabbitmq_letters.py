"""Dead letters in RabbitMQ: two classic durable queues, which can be looked through without consuming.

Classic, because a quorum queue counts each look as a failed delivery, and newer servers drop what failed too often.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Sequence

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from configs.errors import PartError
from events.brokers.base import DeadLetter
from events.brokers.letters import oldest, read_letter
from events.brokers.rabbitmq_link import ANSWER_SECONDS, FAILURES, Link, described


class LetterQueues:
    """`NAME.dead` for events that the consumer gave up on, `NAME.rejected` for calls that the collector refused.

    Args:
        link: whose channel confirms what is published.
        name: of the exchange.
        max_rejected: refused calls kept; the oldest go first.
    """

    def __init__(self, link: Link, name: str, max_rejected: int) -> None:
        self._link, self._max_rejected = link, max_rejected
        self._queues = {"dead": f"{name}.dead", "rejected": f"{name}.rejected"}

    async def declare(self, link: Link) -> None:
        """Make the queues unless they are there."""
        await link.declare(self._queues["dead"], {"x-queue-type": "classic"})
        await link.declare(
            self._queues["rejected"],
            {"x-queue-type": "classic", "x-max-length": self._max_rejected, "x-overflow": "drop-head"},
        )

    async def keep(self, kind: str, letter: bytes) -> None:
        """Add a letter; returns once it is durable.

        Raises:
            PartError: it was not accepted.
        """
        channel = await self._link.open()
        message = aio_pika.Message(letter, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=uuid.uuid4().hex)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                await channel.default_exchange.publish(message, routing_key=self._queues[kind], mandatory=True)
        except FAILURES as error:
            await self._link.drop()
            raise PartError(f"RabbitMQ did not keep a dead letter ({described(error)}).") from None

    async def peek(self, limit: int) -> list[DeadLetter]:
        """Return up to `limit` letters, oldest first; they stay."""
        return oldest([letter for kind in self._queues for letter in await self._go_through(kind, limit, set())], limit)

    async def forget(self, ids: Sequence[str]) -> None:
        """Remove letters; an id that names none is ignored."""
        for kind in self._queues:
            ours = {item for item in ids if item.startswith(f"{kind}:")}
            if ours:
                await self._go_through(kind, sys.maxsize, ours)

    async def _go_through(self, kind: str, limit: int, remove: set[str]) -> list[DeadLetter]:
        """Return up to `limit` letters from the oldest on, removing those named; closing the channel puts back others.

        Where some are to be removed it ends with the last of them.
        """
        await self._link.open()
        seen: list[DeadLetter] = []
        left = set(remove)
        try:
            async with asyncio.timeout(ANSWER_SECONDS), await self._aside() as channel:
                queue = await channel.get_queue(self._queues[kind], ensure=False)
                while len(seen) < limit and (left or not remove):
                    message = await queue.get(no_ack=False, fail=False)
                    if message is None:
                        break
                    seen.append(read_letter(message.body, f"{kind}:{_id(message)}"))
                    if seen[-1].id in left:
                        left.discard(seen[-1].id)
                        await message.ack()
        except FAILURES as error:
            await self._link.drop()
            raise PartError(f"RabbitMQ does not answer ({described(error)}).") from None
        return seen

    async def _aside(self) -> AbstractChannel:
        """Return a channel of its own: what it was handed and did not acknowledge goes back when it closes."""
        return await self._link.connection.channel(publisher_confirms=False)


def _id(message: AbstractIncomingMessage) -> str:
    """Return a letter's id; one that the server put here has its event's body for a name."""
    return message.message_id or uuid.uuid5(uuid.NAMESPACE_OID, message.body.hex()).hex
