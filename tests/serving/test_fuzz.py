"""Requests generated from our own description of the API: no 5xx, no status or body that it does not tell of.

A few for each operation, the same in every run. `DRILLS=full` sends many more.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from configs import Settings
from events.embedded import EmbeddedRedis
from serving.app import make_app
from tests.support.access import bearer, key, on_redis, with_access
from training.package import ModelPackage

FULL = os.environ.get("DRILLS") == "full"
EXAMPLES = 200 if FULL else 6
CHECKS: list[Any] = [
    *(not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
]


@pytest.fixture(scope="module")
def api(built_shop: Settings, redis_server: EmbeddedRedis, package: ModelPackage) -> schemathesis.BaseSchema:
    """The API as the service describes it, with the service behind it."""
    closed = with_access(on_redis(built_shop, redis_server.url), key("everything", "collect", "recommend", "operate"))
    found = schemathesis.openapi.from_asgi("/schema/openapi.json", make_app(closed, package))
    found.config.update(base_url="http://testserver")
    return found


@pytest.mark.parametrize(
    ("mode", "headers"),
    [
        (GenerationMode.POSITIVE, bearer("everything")),
        (GenerationMode.NEGATIVE, bearer("everything")),
        (GenerationMode.POSITIVE, {}),
    ],
    ids=["what is allowed", "what is not allowed", "without a key"],
)
def test_whatever_is_sent_is_answered_as_the_description_says(
    api: schemathesis.BaseSchema, mode: GenerationMode, headers: dict[str, str]
) -> None:
    operations = [found.ok() for found in api.get_all_operations()]
    assert len(operations) >= 13
    for operation in operations:
        if mode is GenerationMode.NEGATIVE and not [*operation.iter_parameters(), *operation.body]:
            continue  # nothing is sent that could be wrong

        statuses: set[int] = set()

        @settings(
            max_examples=EXAMPLES,
            derandomize=not FULL,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(operation.as_strategy(generation_mode=mode))
        def answered_as_described(case: schemathesis.Case) -> None:
            answer = case.call_and_validate(headers=headers, checks=CHECKS)
            statuses.add(answer.status_code)  # noqa: B023

        answered_as_described()
        if mode is GenerationMode.POSITIVE and headers and operation.label != "GET /v1/profiles/{profile_id}":
            assert 200 in statuses, f"nothing that {operation.label} was sent was taken: {statuses}"
        if not headers and operation.path not in {"/v1/products", "/v1/popular", "/v1/status"}:
            assert statuses <= {400, 401, 404}
