"""GET /v1/status."""

from __future__ import annotations

import os

from litestar import get
from litestar.di import NamedDependency

from configs.moments import moment
from serving.models import Models
from serving.path import Engine
from serving.rules import RuleBook
from serving.schema import ModelStatus, RefusedPackage, RefusedRules, RulesStatus, Status
from training.aliases import CHALLENGER, CHAMPION
from training.recommender import ARMS


@get("/v1/status", summary="What serves")
async def status(engine: NamedDependency[Engine]) -> Status:
    """Return the model that serves, its arms, the clock, whether state can be read, and the rules in force."""
    package = engine.models.champion.package
    return Status(
        model_version=package.version,
        arms=list(ARMS),
        products=len(package.products),
        as_of=moment(package.as_of),
        now=moment(engine.clock()),
        redis=await engine.state.answers(),
        experiment=None if engine.experiments.running is None else engine.experiments.running.name,
        exposures=None if engine.exposures is None else engine.exposures.status(),
        model=_model(engine.models),
        rules=_rules(engine.rules),
    )


def _model(models: Models) -> ModelStatus:
    standing, challenger = models.standing, models.named(CHALLENGER)
    refused, previous = standing.refused, standing.previous
    return ModelStatus(
        version=standing.served.version,
        alias=CHAMPION,
        loaded_at=moment(standing.served.loaded_at),
        load_seconds=round(standing.served.load_seconds, 3),
        process=os.getpid(),
        previous=None if previous is None else previous.version,
        challenger=None if challenger is None else challenger.version,
        refused=None if refused is None else RefusedPackage(refused.version, refused.reason, moment(refused.at)),
    )


def _rules(rules: RuleBook) -> RulesStatus:
    refused = rules.refused
    return RulesStatus(
        rules.version,
        moment(rules.loaded_at),
        None if refused is None else RefusedRules(refused.reason, moment(refused.at)),
    )
