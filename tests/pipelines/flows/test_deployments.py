"""`prefect.yaml` says what `tillwise flows serve` does, in Prefect's own words."""

from __future__ import annotations

import importlib.util
import warnings
from pathlib import Path
from typing import Any

import pytest
import yaml

from configs import load_settings
from configs.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """The file's deployments by flow, as Prefect's own model reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from prefect.cli.deploy._models import PrefectYamlModel
    model = PrefectYamlModel.model_validate(yaml.safe_load((ROOT / "prefect.yaml").read_text()))
    return {str(item.entrypoint).partition(":")[2]: item for item in model.deployments}


def test_every_flow_is_deployed_from_an_entrypoint_that_exists(written: dict[str, Any]) -> None:
    from pipelines.flows import FLOWS
    from pipelines.flows.deployments import flow_named

    assert set(written) == set(FLOWS)
    for name, deployment in written.items():
        path, _, attribute = deployment.entrypoint.partition(":")
        spec = importlib.util.spec_from_file_location("entrypoint", ROOT / path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        assert getattr(module, attribute).name == flow_named(name).name


def test_its_schedules_are_those_of_the_settings(written: dict[str, Any]) -> None:
    cadence = load_settings().flows.cadence.model_dump()
    assert {name: [item.cron for item in deployment.schedules] for name, deployment in written.items()} == {
        name: [when] for name, when in cadence.items()
    }


def test_one_run_of_a_flow_at_a_time_and_only_a_second_retraining_waits(written: dict[str, Any]) -> None:
    limits = {name: deployment.concurrency_limit for name, deployment in written.items()}
    assert {limit.limit for limit in limits.values()} == {1}
    assert [name for name, limit in limits.items() if limit.collision_strategy == "ENQUEUE"] == ["retrain"]


def test_a_cadence_is_seconds_or_a_cron_expression_or_nothing() -> None:
    from pipelines.flows.deployments import schedule_of

    assert load_settings(flows={"cadence": {"ingest": "90"}}).flows.cadence.ingest == 90.0
    every, cron = schedule_of("ingest", 90.0), schedule_of("ingest", "5 * * * *")
    assert every is not None
    assert cron is not None
    assert (every.interval.total_seconds() if every.interval else None, cron.cron) == (90.0, "5 * * * *")
    assert schedule_of("ingest", None) is None
    with pytest.raises(ConfigError, match=r"flows\.cadence\.ingest is 'now and then'"):
        schedule_of("ingest", "now and then")


def test_the_parameters_of_a_flow_are_explained() -> None:
    from pipelines.flows.deployments import flow_named

    properties = flow_named("retrain").parameters.model_dump()["properties"]
    assert "as if this day were today" in properties["until"]["description"]
    assert "nothing changed" in properties["force"]["description"]
