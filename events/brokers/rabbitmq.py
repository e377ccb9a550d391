"""Events through a RabbitMQ exchange to one durable queue for each group and partition.

Accepted means that the queues of both groups have confirmed the event: quorum queues have then written and synced it
on a majority of the nodes, so a crash or a loss of power loses nothing; classic durable queues, which are used where
the server knows no quorum queues, have written it. The queues themselves are made at the first use; a node that is
killed within the next seconds may come back with one that confirms nothing, so that events are refused until it is
deleted (it is then made again).
Each queue has one active reader at a time (single active consumer), in order; a second consumer stands by and takes
over when the first ends. What was not acknowledged then comes again, and a quorum queue counts how often
(x-delivery-count; a classic one only says that it is not the first time). What a living process left lying is handed
out again from its memory.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import aio_pika
import msgspec
from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import DeliveryError
from pamqp.commands import Basic

from configs.errors import PartError
from configs.settings import EventSettings
from events.brokers.base import Broker, DeadLetter, Delivery, Lag
from events.brokers.in_flight import InFlight
from events.brokers.letters import buried_event, rejected_call
from events.brokers.partitions import partition_of
from events.brokers.rabbitmq_letters import LetterQueues
from events.brokers.rabbitmq_link import ANSWER_SECONDS, FAILURES, Link, described
from events.contract import Event, decode, encode

REDELIVERIES = "x-delivery-count"


class RabbitMQ(Broker):
    """Exchange `NAME`, routing key = partition, queues `NAME.GROUP.PARTITION`, `NAME.dead` and `NAME.rejected`.

    Args:
        url: amqp:// or amqps:// URL.
        settings: names and bounds.
        group: that reads.
    """

    def __init__(self, url: str, settings: EventSettings, group: str) -> None:
        self._settings, self._group = settings, group
        self._out = Link(url, confirms=True, prepare=self._declare)
        self._in = Link(url, confirms=False, prepare=self._consume)
        self._letters = LetterQueues(self._out, settings.stream, settings.max_rejected_calls)
        self._came: deque[AbstractIncomingMessage] = deque()
        self._wake = asyncio.Event()
        self._messages: dict[str, AbstractIncomingMessage] = {}
        self._in_flight = InFlight(settings.reclaim_idle_ms)

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Broker.publish`."""
        channel = await self._out.open()
        exchange = await channel.get_exchange(self._settings.stream, ensure=False)
        count = self._settings.partitions
        sent = (
            exchange.publish(
                aio_pika.Message(encode(item), delivery_mode=aio_pika.DeliveryMode.PERSISTENT),
                routing_key=str(partition_of(item.session_id, count)),
                mandatory=True,
            )
            for item in events
        )
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                outcomes = await asyncio.gather(*sent, return_exceptions=True)
        except TimeoutError as error:
            outcomes = [error]
        await self._refuse_if_any([item for item in outcomes if isinstance(item, BaseException)])

    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """See `Broker.read`."""
        await self._in.open()
        taken = self._in_flight.overdue(limit, time.monotonic())
        if not taken and not self._came and wait_ms:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), wait_ms / 1000)
            except TimeoutError:
                return []
        while self._came and len(taken) < limit:
            delivery = await self._delivery(self._came.popleft())
            if delivery is not None:
                taken.append(delivery)
        return taken

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Broker.acknowledge`; one that was taken away with a lost connection comes again."""
        done = {item.token for item in deliveries if self._in_flight.remove(item.token)}
        # Handed out in the order of their tags, so one word acknowledges all up to the first that is not done.
        together = [self._messages.pop(token) for token in list(takewhile(done.__contains__, self._messages))]
        if together:
            await self._acknowledge(together[-1], multiple=True)
        for token in done & self._messages.keys():
            await self._acknowledge(self._messages.pop(token))

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """See `Broker.bury`."""
        await self._letters.keep("dead", buried_event(encode(delivery.event), reason))
        await self.acknowledge([delivery])

    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """See `Broker.reject`."""
        await self._letters.keep("rejected", rejected_call(raw, endpoint, field, reason))

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `Broker.dead_letters`."""
        return await self._letters.peek(limit)

    async def forget(self, ids: Sequence[str]) -> None:
        """See `Broker.forget`."""
        await self._letters.forget(ids)

    async def lag(self) -> Lag:
        """See `Broker.lag`; what other processes hold counts as neither, they take up to a batch of each partition."""
        channel = await self._out.open()
        waiting = len(self._came)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                for partition in range(self._settings.partitions):
                    queue = await channel.declare_queue(self._queue(self._group, partition), passive=True)
                    waiting += queue.declaration_result.message_count or 0
        except FAILURES as error:
            await self._out.drop()
            raise PartError(f"RabbitMQ does not answer ({described(error)}).") from None
        return Lag(waiting, len(self._in_flight))

    async def close(self) -> None:
        """See `Broker.close`."""
        await self._in.drop()
        await self._out.drop()

    def _queue(self, group: str, partition: int) -> str:
        return f"{self._settings.stream}.{group}.{partition}"

    async def _declare(self, link: Link) -> None:
        """Make exchange and queues, of both groups, so that neither misses what comes before its first read."""
        name = self._settings.stream
        arguments = {
            "x-single-active-consumer": True,
            "x-max-length": self._settings.max_waiting,
            "x-overflow": "reject-publish",
            # Servers from 4.0 on give up by themselves after 20 deliveries: then to here, instead of nowhere.
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"{name}.dead",
            "x-dead-letter-strategy": "at-least-once",
        }
        await self._letters.declare(link)
        await link.channel.declare_exchange(name, aio_pika.ExchangeType.DIRECT, durable=True)
        for group in dict.fromkeys((self._settings.group, self._settings.record_group, self._group)):
            for partition in range(self._settings.partitions):
                queue = await link.declare(self._queue(group, partition), arguments)
                await (await link.channel.get_queue(queue, ensure=False)).bind(name, str(partition))

    async def _consume(self, link: Link) -> None:
        """Ask for the events of all partitions; what an earlier connection had taken comes again."""
        await self._out.open()  # the queues are there
        self._came.clear()
        self._messages.clear()
        self._in_flight.clear()
        await link.channel.set_qos(prefetch_count=self._settings.batch)
        (await link.channel.get_underlay_channel()).on_consumer_cancel_callbacks.add(self._cancelled)
        for partition in range(self._settings.partitions):
            queue = await link.channel.get_queue(self._queue(self._group, partition), ensure=False)
            await queue.consume(self._take)

    def _cancelled(self, _: object) -> None:
        """Begin anew when the server ends a subscription, as it does when somebody deletes a queue."""
        self._out.renew()
        self._in.renew()

    async def _take(self, message: AbstractIncomingMessage) -> None:
        self._came.append(message)
        self._wake.set()

    async def _delivery(self, message: AbstractIncomingMessage) -> Delivery | None:
        try:
            event = decode(message.body)
        except msgspec.DecodeError as broken:
            await self._put_aside(message, f"cannot be decoded: {broken!r}")
            return None
        token = f"{self._in.generation}:{message.delivery_tag}"
        self._messages[token] = message
        return self._in_flight.add(Delivery(token, event, _attempts(message)), time.monotonic())

    async def _put_aside(self, message: AbstractIncomingMessage, reason: str) -> None:
        try:
            await self._letters.keep("dead", buried_event(message.body, reason))
        except PartError:
            await self._in.drop()  # it comes again, instead of being acknowledged together with later ones
            raise
        await self._acknowledge(message)

    async def _acknowledge(self, message: AbstractIncomingMessage, *, multiple: bool = False) -> None:
        try:
            await message.ack(multiple=multiple)
        except FAILURES as error:
            await self._in.drop()
            raise PartError(f"RabbitMQ does not answer ({described(error)}).") from None

    async def _refuse_if_any(self, errors: Sequence[BaseException]) -> None:
        for error in errors:
            if isinstance(error, DeliveryError) and isinstance(error.frame, Basic.Nack):
                raise PartError(
                    "RabbitMQ did not accept the events: a queue is not available, or too many of a partition wait to "
                    f"be consumed, at most {self._settings.max_waiting} may. `tillwise status` tells whether the "
                    "consumers run."
                )
        for error in errors:
            if not isinstance(error, (*FAILURES, asyncio.CancelledError)):  # a lost connection cancels what waits
                raise error
            await self._out.drop()
            raise PartError(f"RabbitMQ did not accept the events ({described(error)}).")


def _attempts(message: AbstractIncomingMessage) -> int:
    counted: Any = message.headers.get(REDELIVERIES)
    return int(counted) + 1 if counted is not None else 1 + bool(message.redelivered)
