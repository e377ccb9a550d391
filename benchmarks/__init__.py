"""Loads that are measured, not tested: each prints a table and leaves a report in `var/reports/`.

Comes in: a running stack on this machine. Goes out: figures next to a floor from the same run. Called by people.
"""
