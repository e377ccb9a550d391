"""Prefect flows: what runs on a schedule, composed of the stages that every command runs too.

Comes in: the settings `flows` and a flow's parameters. Goes out: whatever the stages leave, and a report of each run in
Prefect and, where it made a version, in MLflow. Called by `tillwise flows`, and by workers of a Prefect server that
`prefect.yaml` deploys to. Prefect takes seconds to import: only modules of this folder do, and this one does not.
"""

__all__ = ["FLOWS"]

FLOWS = ("ingest", "materialize", "retrain", "monitor", "compact")
"""Names of the flows, which are functions in `pipelines.flows.definitions`."""
