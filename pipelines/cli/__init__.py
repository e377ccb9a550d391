"""The `tillwise` command: every stage, the running parts, and what a person wants to know about them.

Comes in: arguments and `TILLWISE_*` variables. Goes out: text for a person, JSON for a machine (`--json`), and an
exit code: 0 done, 1 a sentence on standard error says why not, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command that this process was started with, and exit with its code."""
    # Being asked to end, by a person, a supervisor or a closing terminal, is one thing: stop in order.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    from pipelines.cli.app import command_tree

    command_tree()()
