"""Dead letters tried again: what can be taken now goes to the broker like any other event, the rest stays."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import get_args

import msgspec
from msgspec.structs import replace

from configs.settings import EventSettings
from events.brokers import Broker, DeadLetter
from events.collector import Endpoint, parse
from events.contract import Event, InvalidEventError, decode


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one letter: `why` is None when its events were published and it was forgotten."""

    letter: DeadLetter
    why: str | None = None


async def replay_letters(broker: Broker, limits: EventSettings, limit: int) -> list[Tried]:
    """Publish what up to `limit` of the oldest letters hold; a letter is forgotten only once that is confirmed.

    Whatever ends this in between leaves a letter that is published again next time, under the same message ids.

    Raises:
        PartError: the broker does not accept events; the letters that were not reached stay.
    """
    tried = []
    for letter in await broker.dead_letters(limit):
        try:
            events = events_of(letter, limits)
        except InvalidEventError as error:
            tried.append(Tried(letter, str(error)))
            continue
        await broker.publish(events)
        await broker.forget([letter.id])
        tried.append(Tried(letter))
    return tried


def events_of(letter: DeadLetter, limits: EventSettings) -> list[Event]:
    """Return the events that a letter holds.

    A call counts as received when it came, and one without a messageId gets one that is the same at each try.

    Raises:
        InvalidEventError: it still breaks the contract.
    """
    if letter.source == "consumer":
        try:
            return [decode(letter.body)]
        except msgspec.DecodeError as error:
            raise InvalidEventError("body", f"is no event: {error}") from None
    for endpoint in get_args(Endpoint):
        if endpoint == letter.endpoint:
            once, again = (parse(letter.body, endpoint, letter.at, limits) for _ in range(2))
            return [
                event if event.message_id == other.message_id else replace(event, message_id=_made_up(letter, number))
                for number, (event, other) in enumerate(zip(once, again, strict=True))
            ]
    raise InvalidEventError("endpoint", f"{letter.endpoint!r} takes no calls")


def _made_up(letter: DeadLetter, number: int) -> str:
    """Return the message id of a call that told none: parsing makes up another each time, a replay must not."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{letter.id} {number}").hex
