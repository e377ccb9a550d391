"""Experiments: what each arm changed, how sure that is, and what other ways to choose would have earned.

Comes in: exposures, outcomes and orders of the system of record. Goes out: `var/reports/experiment.json` and a table.
Called by `tillwise experiment report`.
"""

from monitoring.experiments.report import Question, report_path, write_report

__all__ = ["Question", "report_path", "write_report"]
