"""Structured logs: coloured lines for a person at a terminal, one JSON object a line otherwise."""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog

LogFormat = Literal["auto", "human", "json"]


def configure_logs(level: str = "info", style: LogFormat = "auto", *, process: str | None = None) -> None:
    """Set up structlog for this process, writing to standard error.

    Args:
        level: lowest level that is written: debug, info, warning or error.
        style: `human`, `json`, or `auto` (human on a terminal, JSON lines otherwise).
        process: name bound to every line, such as `consumer`.
    """
    human = style == "human" or (style == "auto" and sys.stderr.isatty())
    processors: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if human:
        # The default one shows every local variable: seconds of work beside requests that wait, and secrets in the log.
        processors.append(structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback))
    else:
        processors += [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    if process is not None:
        structlog.contextvars.bind_contextvars(process=process)
