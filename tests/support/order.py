"""Which files of tests begin first."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONGEST = (
    "drills/test_story.py",
    "pipelines/test_end_to_end.py",
    "pipelines/test_workflow_commands.py",
    "drills/test_flow_crashes.py",
    "pipelines/flows/test_flows.py",
    "drills/test_faults.py",
    "monitoring/release/test_release.py",
    "notebooks/test_notebooks.py",
    "pipelines/test_build.py",
    "events/test_brokers.py",
    "training/encoder/test_encoder.py",
    "events/test_consumer.py",
    "training/promotion/test_two_machines.py",
    "training/promotion/test_promotion.py",
    "training/test_until.py",
    "training/test_registry.py",
    "pipelines/test_cli.py",
    "events/test_broker_crashes.py",
    "benchmarks/test_swap.py",
    "benchmarks/test_chaos.py",
    "pipelines/test_batch_commands.py",
    "serving/test_recommendations.py",
)
"""The files that take longest, most of them for waiting: the durations of a whole run tell when this is out of date."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put them first: one that begins last keeps a single process busy when the others have nothing left to do.

    pytest-xdist hands out files in this order with `--no-loadscope-reorder`; by itself it begins with the files that
    have most tests, which are the quick ones.
    """
    place = {TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))
