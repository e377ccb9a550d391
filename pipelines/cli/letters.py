"""`tillwise dead-letters`: calls that the collector refused, and events that the consumer gave up on."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from configs import load_settings
from configs.moments import moment
from pipelines.cli.output import Json, console_for, print_json, print_line

if TYPE_CHECKING:
    from rich.table import Table

    from configs import Settings
    from events.brokers import Broker, DeadLetter

PREVIEW = 60
"""Characters of a body that fit a table."""

Limit = Annotated[int, typer.Option("--limit", min=1, help="Most letters, the oldest first.")]
_T = TypeVar("_T")


def list_letters(limit: Limit = 50, as_json: Json = False) -> None:
    """Show the oldest dead letters: when, from whom, what was wrong and how the body begins. They stay.

    --json prints them whole.
    """
    letters = _with_broker(load_settings(), lambda broker: broker.dead_letters(limit))
    if as_json:
        print_json([_document(letter) for letter in letters])
    elif letters:
        console_for(as_json).print(_table(letters))
    else:
        print_line(console_for(as_json), "There are no dead letters.")


def replay_letters(limit: Limit = 1_000, as_json: Json = False) -> None:
    """Try dead letters again, for instance after a defect was mended: what can be taken now goes to the broker.

    A letter is forgotten only once the broker has confirmed its events. What still cannot be taken stays, and the
    reason is told.
    """
    from events import replay_letters as letters

    settings = load_settings()
    tried = _with_broker(settings, lambda broker: letters.replay_letters(broker, settings.events, limit))
    stay = [item for item in tried if item.why is not None]
    if as_json:
        told = [{"id": item.letter.id, "reason": item.why} for item in stay]
        print_json({"replayed": len(tried) - len(stay), "stay": told})
        return
    for item in stay:
        print_line(console_for(as_json), f"{item.letter.id} stays: {item.why}")
    print_line(console_for(as_json), f"{len(tried) - len(stay)} replayed, {len(stay)} stay.")


COMMANDS: tuple[Callable[..., Any], ...] = (list_letters, replay_letters)


def _with_broker(settings: Settings, script: Callable[[Broker], Awaitable[_T]]) -> _T:
    from events.brokers import connect

    async def inside() -> _T:
        async with connect(settings) as broker:
            return await script(broker)

    return asyncio.run(inside())


def _table(letters: list[DeadLetter]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table()
    for heading in ("id", "at", "from", "field", "reason", "body"):
        table.add_column(heading, overflow="fold")
    for letter in letters:
        source = f"{letter.source} /v1/{letter.endpoint}" if letter.endpoint else letter.source
        body = repr(letter.body[:PREVIEW])[2:-1]
        table.add_row(*map(escape, (letter.id, moment(letter.at), source, letter.field, letter.reason, body)))
    return table


def _document(letter: DeadLetter) -> dict[str, Any]:
    told = {name: getattr(letter, name) for name in ("id", "source", "endpoint", "field", "reason")}
    try:
        body: dict[str, str] = {"body": letter.body.decode()}
    except UnicodeDecodeError:
        body = {"body_base64": base64.b64encode(letter.body).decode()}
    return told | {"at": moment(letter.at)} | body
