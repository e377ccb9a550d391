"""GET /v1/status."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency

from configs.moments import moment
from serving.path import Engine
from serving.rules import RuleBook
from serving.schema import RefusedRules, RulesStatus, Status
from training.recommender import ARMS


@get("/v1/status", summary="What serves")
async def status(engine: NamedDependency[Engine]) -> Status:
    """Return the model that serves, its arms, the clock, whether state can be read, and the rules in force."""
    package = engine.recommender.package
    return Status(
        model_version=package.version,
        arms=list(ARMS),
        products=len(package.products),
        as_of=moment(package.as_of),
        now=moment(engine.clock()),
        redis=await engine.state.answers(),
        rules=_rules(engine.rules),
    )


def _rules(rules: RuleBook) -> RulesStatus:
    refused = rules.refused
    return RulesStatus(
        rules.version,
        moment(rules.loaded_at),
        None if refused is None else RefusedRules(refused.reason, moment(refused.at)),
    )
