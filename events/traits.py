"""What a call says of a person or a visit in free words: cleaned and cut, never a reason to refuse the call."""

from __future__ import annotations

import re
from collections.abc import Mapping

from events.segment import CallContext

LONGEST_CONTEXT = 120
LONGEST_TRAIT = 256
LONGEST_NAME = 64
MOST_TRAITS = 50

_CONTROL = re.compile(r"[\x00-\x1f]")


def context_of(context: CallContext, channel: str | None) -> dict[str, str]:
    """Return device, country, region, referrer, url and channel, as far as told; the context's channel wins."""
    page, location = context.page, context.location
    told = {
        "device": context.device.type if context.device else None,
        "country": location.country if location else None,
        "region": location.region if location else None,
        "referrer": page.referrer if page else None,
        "url": page.url if page else None,
        "channel": context.channel or channel,
    }
    return {name: text for name, value in told.items() if value and (text := _clean(value, LONGEST_CONTEXT))}


def traits_of(traits: Mapping[str, object]) -> dict[str, str]:
    """Return the first traits that are text, numbers or yes/no, as text; lists and objects are left out."""
    told: dict[str, str] = {}
    for name, value in traits.items():
        if len(told) == MOST_TRAITS:
            break
        if isinstance(value, str | int | float) and (key := _clean(name, LONGEST_NAME)):
            told[key] = str(value).lower() if isinstance(value, bool) else _clean(str(value), LONGEST_TRAIT)
    return told


def _clean(text: str, longest: int) -> str:
    return _CONTROL.sub("", text)[:longest]
