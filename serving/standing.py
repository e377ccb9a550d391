"""Where models, rules and a release stand, as `/v1/status` tells it."""

from __future__ import annotations

import os

from configs.moments import moment
from serving.experiments import RunningExperiments
from serving.models import Models
from serving.rules import RuleBook
from serving.schema import ModelStatus, RefusedPackage, RefusedRelease, RefusedRules, ReleaseStatus, RulesStatus
from training.aliases import CHALLENGER, CHAMPION


def model_status(models: Models) -> ModelStatus:
    """Return what the worker has loaded."""
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


def rules_status(rules: RuleBook) -> RulesStatus:
    """Return the rules in force."""
    refused = rules.refused
    return RulesStatus(
        rules.version,
        moment(rules.loaded_at),
        None if refused is None else RefusedRules(refused.reason, moment(refused.at)),
        dict(rules.arms),
    )


def release_status(experiments: RunningExperiments) -> ReleaseStatus | None:
    """Return the release that the worker follows; None without one."""
    release, refused = experiments.release, experiments.refused
    if release is None and refused is None:
        return None
    return ReleaseStatus(
        version=None if release is None else release.version,
        package=None if release is None else release.package,
        step=None if release is None else release.step,
        refused=None if refused is None else RefusedRelease(refused.reason, moment(refused.at)),
    )
