"""The writer of the record: a consumer group of its own, from events to SQL and Parquet.

An event is acknowledged once the database has committed it, with the tail of the event log in the same transaction;
it leaves that tail only for a file that is durable. Delivered again, it changes nothing; events of somebody who was
erased since are acknowledged and written nowhere.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from functools import partial

import structlog
from redis.exceptions import RedisError
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from configs import Settings
from configs.errors import PartError, TillwiseError
from configs.home import read_json, write_json
from configs.logs import configure_logs
from events.brokers import Broker, Delivery, connect
from events.contract import Event
from events.record.beat import BEAT_SECONDS, RECORDER_BEAT
from events.record.database import migrate, open_database
from events.record.log import compact, flush, is_due, log_folder
from events.record.writing import record_events, suppress
from events.suppression import suppressed_until
from events.working import WAIT_MS, own_name, run_until_told, step_until

AWAY = (PartError, RedisError, SQLAlchemyError, OSError)
"""What passes: the broker, the database or the disk does not answer now."""
POISON = (DataError, IntegrityError, ValueError, OverflowError)
"""What does not: an event that no table can hold."""

log = structlog.get_logger()


def run_writer(settings: Settings) -> None:
    """Write until SIGTERM or SIGINT, then finish the batch in hand and return."""
    configure_logs(settings.log.level, settings.log.format, process="recorder")
    run_until_told(partial(_run, settings))


async def _run(settings: Settings, stop: asyncio.Event) -> None:
    async with connect(settings, settings.events.record_group) as broker:
        await write(settings, broker, stop)


async def write(settings: Settings, broker: Broker, stop: asyncio.Event) -> None:
    """Write events as they come until `stop` is set; while the broker or the database is away, wait for it."""
    engine = open_database(settings, write=True)
    writer = Writer(settings, broker, engine)
    try:
        await step_until(stop, writer.step, AWAY)
    finally:
        writer.leave()
        engine.dispose()
        log.info("stopped", stored=writer.stored)


class Writer:
    """One writer process's work, step by step. `stored` counts deliveries that were written or are to be forgotten."""

    def __init__(self, settings: Settings, broker: Broker, engine: Engine) -> None:
        self._settings, self._broker, self._engine = settings, broker, engine
        self._folder = log_folder(settings)
        self._name = own_name()
        self._ready = False
        self._next_beat = self._next_compaction = 0.0
        self.stored = 0

    async def step(self) -> None:
        """Take one batch, write it, acknowledge it; now and then move the log's tail to a file, and compact."""
        if not self._ready:
            await asyncio.to_thread(self._prepare)
            self._ready = True
            log.info("recording", database=self._engine.url.render_as_string(hide_password=True))
        deliveries = await self._broker.read(self._name, limit=self._settings.record.batch, wait_ms=WAIT_MS)
        if deliveries:
            await self._store(deliveries)
        now = time.time()
        if now >= self._next_beat:
            await asyncio.to_thread(self._keep_house, now)
            self._next_beat = now + BEAT_SECONDS

    def leave(self) -> None:
        """Take the heartbeat back: a writer that ended is not one that hangs."""
        path = self._settings.work.run / RECORDER_BEAT
        beat = read_json(path)
        if beat is not None and beat["name"] == self._name:
            path.unlink(missing_ok=True)

    async def _store(self, deliveries: Sequence[Delivery]) -> None:
        try:
            await asyncio.to_thread(self._write, [item.event for item in deliveries])
        except POISON:
            await self._store_one_by_one(deliveries)
            return
        await self._broker.acknowledge(deliveries)
        self.stored += len(deliveries)

    async def _store_one_by_one(self, deliveries: Sequence[Delivery]) -> None:
        for item in deliveries:
            try:
                await asyncio.to_thread(self._write, [item.event])
            except POISON as error:
                reason = f"the record cannot hold it: {str(error).splitlines()[0]}"
                log.warning("event buried", message=item.event.message_id, reason=reason)
                await self._broker.bury(item, reason)
                continue
            await self._broker.acknowledge([item])
            self.stored += 1

    def _prepare(self) -> None:
        """Bring the tables up to date, and tell them who was erased while there were none."""
        migrate(self._engine)
        with self._engine.begin() as connection:
            suppress(connection, suppressed_until(self._settings.work.suppressed))

    def _write(self, events: Sequence[Event]) -> None:
        with self._engine.begin() as connection:
            record_events(connection, events, time.time())

    def _keep_house(self, now: float) -> None:
        if is_due(self._engine, self._settings, now):
            log.info("event log written", events=flush(self._engine, self._folder))
        if now >= self._next_compaction:
            self._compact(now)
            self._next_compaction = now + self._settings.record.compact_hours * 3600
        beat = {"name": self._name, "pid": os.getpid(), "stored": self.stored, "at": now}
        write_json(self._settings.work.run / RECORDER_BEAT, beat)

    def _compact(self, now: float) -> None:
        """Compact; a file that cannot be read is told, and keeps nobody from recording."""
        try:
            for day, files in compact(self._folder, now).items():
                log.info("event log compacted", day=day.isoformat(), files=files)
        except (OSError, TillwiseError) as error:
            log.error("event log not compacted", error=str(error))
