"""Events on a Kafka topic, keyed by session.

Accepted means that all replicas in sync have the event (acks=all, idempotent producer, so that retries of the client
neither repeat nor reorder it); whether that survives a loss of power is the cluster's business (replication factor and
min.insync.replicas, which topics that we make take from the broker's defaults).
Each partition goes to one consumer of the group at a time, in order. What was acknowledged is committed as the lowest
offset that is not yet acknowledged, so a consumer that ends hands over everything from there, after session.timeout.ms
when it was killed; what its own process left lying comes again from memory. Kafka does not count how often an entry
was handed out: `attempts` starts anew in each process.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from configs.errors import PartError
from configs.settings import EventSettings
from events.brokers.attempt import SharedAttempt
from events.brokers.base import Broker, DeadLetter, Delivery, Lag
from events.brokers.in_flight import InFlight
from events.brokers.kafka_producer import ConfirmedProducer, Record
from events.brokers.kafka_topics import ANSWER_SECONDS, client_config, make_topic, newest_values, session_timeout_ms
from events.brokers.letters import buried_event, oldest, read_letter, rejected_call
from events.brokers.partitions import partition_of
from events.contract import Event, decode, encode

FETCHED_KB = 16_384
FETCH_WAIT_MS = 20
"""Longest that a fetch waits at the broker: some answer only then, although there are events already."""

REJECTED_BYTES = 2**30

DEAD = {"cleanup.policy": "compact"}
REJECTED = {"cleanup.policy": "compact,delete", "retention.bytes": str(REJECTED_BYTES)}

TAKEN_AWAY = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._STATE,
}
"""A commit fails so when the partition went to another consumer meanwhile, who is handed the events again."""

_T = TypeVar("_T")


class Kafka(Broker):
    """Topic `NAME` for events, `NAME.dead` and `NAME.rejected` for dead letters (compacted; a tombstone forgets one).

    Args:
        url: kafka:// URL.
        settings: names and bounds.
        group: that reads.
    """

    def __init__(self, url: str, settings: EventSettings, group: str) -> None:
        self._settings = settings
        self._config, self._session_ms = client_config(url), session_timeout_ms(url)
        self._topic = settings.stream.replace(":", ".")
        self._group = f"{self._topic}.{group}"
        self._letters = {"dead": f"{self._topic}.dead", "rejected": f"{self._topic}.rejected"}
        self._partitions = 0
        self._producer: ConfirmedProducer | None = None
        self._consumer: Consumer | None = None
        self._subscribed = False
        self._tracked: dict[int, Offsets] = {}
        self._in_flight = InFlight(settings.reclaim_idle_ms)
        self._broken: list[tuple[str, bytes, str]] = []
        # The consumer belongs to this one thread, and so does all that is known of its partitions.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka-consumer")
        self._making = SharedAttempt(self._ask_for_topics)
        self._closed = False

    async def publish(self, events: Sequence[Event]) -> None:
        """See `Broker.publish`."""
        await self._make_topics()
        await self._send(
            [
                Record(self._topic, partition_of(item.session_id, self._partitions), item.session_id, encode(item))
                for item in events
            ]
        )

    async def read(self, consumer: str, *, limit: int, wait_ms: int) -> list[Delivery]:
        """See `Broker.read`."""
        await self._make_topics()
        taken = await self._call(lambda: self._take(consumer, limit, wait_ms / 1000))
        while self._broken:
            token, raw, reason = self._broken[0]
            await self._keep("dead", buried_event(raw, reason))
            await self._call(partial(self._acknowledge, [token]))
            self._broken.pop(0)
        return taken

    async def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """See `Broker.acknowledge`."""
        await self._call(lambda: self._acknowledge([item.token for item in deliveries]))

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """See `Broker.bury`."""
        await self._make_topics()
        await self._keep("dead", buried_event(encode(delivery.event), reason))
        await self.acknowledge([delivery])

    async def reject(self, raw: bytes, endpoint: str, field: str, reason: str) -> None:
        """See `Broker.reject`; Kafka keeps the newest GiB."""
        await self._make_topics()
        await self._keep("rejected", rejected_call(raw, endpoint, field, reason))

    async def dead_letters(self, limit: int) -> list[DeadLetter]:
        """See `Broker.dead_letters`."""
        await self._make_topics()
        letters: list[DeadLetter] = []
        for kind, topic in self._letters.items():
            kept = await asyncio.to_thread(newest_values, self._config, topic)
            letters += [read_letter(raw, f"{kind}:{key}") for key, raw in kept.items()]
        return oldest(letters, limit)

    async def forget(self, ids: Sequence[str]) -> None:
        """See `Broker.forget`."""
        await self._make_topics()
        named = [(self._letters.get(kind), key) for kind, _, key in (item.partition(":") for item in ids)]
        await self._send([Record(topic, 0, key, None) for topic, key in named if topic is not None])

    async def lag(self) -> Lag:
        """See `Broker.lag`; what other processes were handed and have not acknowledged counts as waiting."""
        await self._make_topics()
        return await self._call(self._lag)

    async def close(self) -> None:
        """See `Broker.close`."""
        if self._closed:
            return
        self._closed = True
        if self._consumer is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._consumer.close)
        if self._producer is not None:
            await asyncio.to_thread(self._producer.close)
        self._thread.shutdown(wait=False)

    async def _call(self, work: Callable[[], _T]) -> _T:
        """Do something blocking with the consumer, in its thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except KafkaException as error:
            raise PartError(f"Kafka does not answer ({error.args[0].str()}).") from None

    async def _make_topics(self) -> None:
        if not self._partitions:
            await self._making()

    async def _ask_for_topics(self) -> None:
        for kind, options in (("dead", DEAD), ("rejected", REJECTED)):
            await asyncio.to_thread(make_topic, self._config, self._letters[kind], 1, options)
        self._partitions = await asyncio.to_thread(make_topic, self._config, self._topic, self._settings.partitions)

    async def _send(self, records: Sequence[Record]) -> None:
        if self._producer is None or self._producer.broken:
            spent, self._producer = self._producer, ConfirmedProducer(self._config)
            if spent is not None:
                await asyncio.to_thread(spent.close)
        await self._producer.send(records)

    async def _keep(self, kind: str, letter: bytes) -> None:
        await self._send([Record(self._letters[kind], 0, uuid.uuid4().hex, letter)])

    # From here on everything runs in the consumer's thread.

    def _connected(self) -> Consumer:
        if self._consumer is None:
            ours = {
                "group.id": self._group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": self._session_ms,
                "heartbeat.interval.ms": self._session_ms // 3,
                "queued.max.messages.kbytes": FETCHED_KB,
                "fetch.queue.backoff.ms": FETCH_WAIT_MS,
                "fetch.wait.max.ms": FETCH_WAIT_MS,
            }
            self._consumer = Consumer(self._config | ours)
        return self._consumer

    def _take(self, consumer: str, limit: int, seconds: float) -> list[Delivery]:
        client = self._connected()
        if not self._subscribed:
            client.subscribe([self._topic], on_revoke=self._revoked, on_lost=self._revoked)
            self._subscribed = True
        late = self._in_flight.overdue(limit, time.monotonic())
        # Polled even when there is enough to hand out: a consumer that does not poll is taken for dead.
        first = client.poll(0 if late else seconds)
        messages = [] if first is None else [first]
        if messages and len(late) + 1 < limit:
            messages += client.consume(limit - len(late) - 1, timeout=0)
        errors = [message.error() for message in messages if message.error() is not None]
        taken = late + [delivery for message in messages if (delivery := self._delivery(message)) is not None]
        if errors and not taken:
            raise KafkaException(errors[0])
        return taken

    def _delivery(self, message: Message) -> Delivery | None:
        partition, offset = message.partition(), message.offset()
        if message.error() is not None or partition is None or offset is None:
            return None
        self._tracked.setdefault(partition, Offsets()).handed(offset)
        token = f"{partition}:{offset}"
        try:
            return self._in_flight.add(Delivery(token, decode(message.value() or b"")), time.monotonic())
        except msgspec.DecodeError as broken:
            self._broken.append((token, message.value() or b"", f"cannot be decoded: {broken!r}"))
            return None

    def _acknowledge(self, tokens: Sequence[str]) -> None:
        moved: set[int] = set()
        for token in tokens:
            partition, offset = map(int, token.split(":"))
            self._in_flight.remove(token)
            if partition in self._tracked and self._tracked[partition].acknowledge(offset):
                moved.add(partition)
        offsets = [TopicPartition(self._topic, number, self._tracked[number].lowest) for number in sorted(moved)]
        try:
            if offsets:
                self._connected().commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            if error.args[0].code() not in TAKEN_AWAY:
                raise

    def _revoked(self, _: Consumer, partitions: Sequence[TopicPartition]) -> None:
        gone = {item.partition for item in partitions}
        for number in gone & set(self._tracked):
            for offset in self._tracked.pop(number).open:
                self._in_flight.remove(f"{number}:{offset}")
        self._broken = [item for item in self._broken if int(item[0].partition(":")[0]) not in gone]

    def _lag(self) -> Lag:
        client = self._connected()
        everything = [TopicPartition(self._topic, number) for number in range(self._partitions)]
        behind = 0
        for committed in client.committed(everything, timeout=ANSWER_SECONDS):
            low, high = self._watermarks(client, committed.partition)
            behind += max(0, high - (committed.offset if committed.offset >= 0 else low))
        return Lag(behind - len(self._in_flight), len(self._in_flight))

    def _watermarks(self, client: Consumer, partition: int) -> tuple[int, int]:
        """Return the first offset of a partition and the one after its last."""
        place = TopicPartition(self._topic, partition)
        found: Any = client.get_watermark_offsets(place, timeout=ANSWER_SECONDS, cached=False)
        fetched: Any = client.get_watermark_offsets(place, cached=True)
        return found[0], max(found[1], fetched[1])  # the newer of what was asked now and what came with events


class Offsets:
    """Offsets of one partition that were handed out, up to the lowest that is not acknowledged."""

    def __init__(self) -> None:
        self.open: deque[int] = deque()
        self._done: set[int] = set()
        self.lowest = 0

    def handed(self, offset: int) -> None:
        """Note that an offset was handed out; they come ascending."""
        if not self.open:
            self.lowest = offset
        self.open.append(offset)

    def acknowledge(self, offset: int) -> bool:
        """Return whether the lowest offset that is not acknowledged has moved."""
        if not self.open or offset < self.open[0]:
            return False  # it was taken away or acknowledged before
        self._done.add(offset)
        moved = False
        while self.open and self.open[0] in self._done:
            self._done.discard(self.open[0])
            self.lowest = self.open.popleft() + 1
            moved = True
        if self.open:
            self.lowest = self.open[0]
        return moved
