"""Plays real held-out baskets through the live HTTP API as shoppers, and counts how often each arm was right.

Comes in: the test window's baskets, a running service and consumer. Goes out: a table and
`var/reports/replay.json`. Called by `tillwise run` and `tillwise replay`.
"""

from pipelines.replay.report import report_path, write_replay_report
from pipelines.replay.run import play_replay
from pipelines.replay.table import replay_table

__all__ = ["play_replay", "replay_table", "report_path", "write_replay_report"]
