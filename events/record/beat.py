"""Where a writer tells that it works: a file in the work folder's `run/`, written every second."""

from __future__ import annotations

RECORDER_BEAT = "recorder.json"
"""Holds name, pid, stored (deliveries written since it started), at (unix seconds)."""

BEAT_SECONDS = 1.0
