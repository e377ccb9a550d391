"""The status of the recorder: whether it writes, what it has written, what waits for it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from configs import Settings
from configs.errors import ConfigError, DataError, PartError
from configs.home import read_json
from events.brokers import Lag, connect
from events.record.beat import BEAT_SECONDS, RECORDER_BEAT
from events.record.database import database_url
from events.record.reading import row_counts
from monitoring.area import MISSED_BEATS, UP, Area

DATABASE = "correct record.database_url or start the database"


def recorder_area(settings: Settings) -> Area:
    """Return whether the recorder works, how many rows there are, and how many events wait for it.

    A database that does not answer makes the area failing, and so does a recorder that hangs or stopped by itself.
    """
    try:
        facts: dict[str, Any] = {"database": database_url(settings).render_as_string(hide_password=True)}
        counts = row_counts(settings)
    except (ConfigError, DataError) as error:
        return Area("recorder", "failing", {"error": str(error)}, fix=DATABASE)
    facts |= {
        "orders": counts.get("orders", 0),
        "outcomes": counts.get("outcomes", 0),
        "exposures": counts.get("exposures", 0),
        "events_not_yet_in_a_file": counts.get("log_tail", 0),
    }
    beat = read_json(settings.work.run / RECORDER_BEAT)
    if beat is None:
        return Area("recorder", "not running", facts, fix=UP)
    silent = time.time() - beat["at"]
    facts |= {"process": beat["name"], "seconds_since_heartbeat": round(silent, 1), "events_stored": beat["stored"]}
    try:
        lag = asyncio.run(_lag(settings))
    except PartError as error:
        return Area("recorder", "not running", facts | {"error": str(error)}, fix=UP)
    facts |= {"events_waiting": lag.waiting, "events_unacknowledged": lag.unacknowledged}
    if silent > MISSED_BEATS * BEAT_SECONDS:
        return Area("recorder", "failing", facts, fix=f"{UP}, or see {settings.work.logs / 'recorder.log'}")
    return Area("recorder", "ok", facts)


async def _lag(settings: Settings) -> Lag:
    async with connect(settings, settings.events.record_group) as broker:
        return await broker.lag()
