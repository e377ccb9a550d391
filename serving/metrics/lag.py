"""How far the consumers are behind, asked of the broker when somebody wants to know."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from configs import Settings
from configs.errors import PartError
from events.brokers import Broker, Lag, connect

if TYPE_CHECKING:
    from prometheus_client.core import GaugeMetricFamily

ANSWER_SECONDS = 2.0


class LagMeter:
    """Tells the lag of the groups that read the events: profiles and record."""

    def __init__(self, settings: Settings) -> None:
        self._groups = (settings.events.group, settings.events.record_group)
        self._settings = settings
        self._open = AsyncExitStack()
        self._brokers: dict[str, Broker] = {}

    async def text(self) -> str:
        """Return gauges in Prometheus' text format; groups of which the broker tells nothing are left out."""
        from prometheus_client import CollectorRegistry, generate_latest

        registry = CollectorRegistry()
        registry.register(_Told(await self.lags()))
        return generate_latest(registry).decode()

    async def lags(self) -> Mapping[str, Lag]:
        """Return the lag by group, without those of which the broker tells nothing in time."""
        found = {}
        for group in self._groups:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    found[group] = await (await self._broker(group)).lag()
            except (PartError, TimeoutError):
                continue
        return found

    async def close(self) -> None:
        """Release the connections."""
        await self._open.aclose()

    async def _broker(self, group: str) -> Broker:
        if group not in self._brokers:
            self._brokers[group] = await self._open.enter_async_context(connect(self._settings, group))
        return self._brokers[group]


class _Told:
    """What was found out, as prometheus_client collects it: gauges of no process, so that nothing adds them up."""

    def __init__(self, lags: Mapping[str, Lag]) -> None:
        self._lags = lags

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges."""
        from prometheus_client.core import GaugeMetricFamily

        waiting = GaugeMetricFamily(
            "tillwise_events_waiting", "Events that a group of consumers was not handed yet", labels=["group"]
        )
        unacknowledged = GaugeMetricFamily(
            "tillwise_events_unacknowledged", "Events that a group was handed and is not done with", labels=["group"]
        )
        for group, lag in self._lags.items():
            waiting.add_metric([group], lag.waiting)
            unacknowledged.add_metric([group], lag.unacknowledged)
        yield waiting
        yield unacknowledged
