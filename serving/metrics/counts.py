"""Counters of one process; BentoML adds up those of all workers."""

from __future__ import annotations

from functools import cache

NO_FALLBACK = "none"


class Counts:
    """Counts answers and tracking calls.

    Made once a process and not before the worker has started: prometheus_client decides when it is imported whether
    other workers' figures are to be added up.
    """

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter

        registry = CollectorRegistry()
        self._answers = Counter(
            "tillwise_recommendations",
            "Answers to requests for recommendations, by the step of the fallback; none: a full answer",
            ["fallback"],
            registry=registry,
        )
        self._calls = Counter(
            "tillwise_tracking_calls",
            "Tracking calls by what became of them: accepted are durable in the broker, refused are dead letters",
            ["result"],
            registry=registry,
        )

    def answered(self, fallback: str | None) -> None:
        """Count an answer; `fallback` is its step, None if there was none."""
        self._answers.labels(fallback or NO_FALLBACK).inc()

    def collected(self, accepted: int, refused: int) -> None:
        """Count tracking calls of a body."""
        if accepted:
            self._calls.labels("accepted").inc(accepted)
        if refused:
            self._calls.labels("refused").inc(refused)


@cache
def counts() -> Counts:
    """Return this process's counters."""
    return Counts()
