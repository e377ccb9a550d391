"""What commands share: the `--json` option, where text goes, how JSON is printed."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer
from rich.console import Console

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for a machine; progress goes to stderr.")]


def console_for(as_json: bool) -> Console:
    """Return where a person reads along: standard output, or standard error when a machine reads the former."""
    return Console(stderr=as_json)


def print_json(content: Any) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))


def print_line(console: Console, text: str) -> None:
    """Print a line as it is: no markup is read into it and no line break added."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
