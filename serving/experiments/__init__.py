"""Experiments and exposures: who is shown which arm, what chance changes, and a record of all that was shown.

Comes in: a request with what is known of it, then its ranking, then its answer. Goes out: an arm, places filled by
chance with their probabilities, and one exposure an answer, published in the background. Called by `serving.path`.
"""

from serving.experiments.answered import Answered, Asked, Ranked, shopper_of
from serving.experiments.assignment import Assigned, Experiments, running_experiments, unit_of
from serving.experiments.exploration import Explored, depth, explore
from serving.experiments.exposures import ExposureLog, Shadows
from serving.experiments.file import Arm, Experiment, Exploration, read_experiment
from serving.experiments.running import RunningExperiments

__all__ = [
    "Answered",
    "Arm",
    "Asked",
    "Assigned",
    "Experiment",
    "Experiments",
    "Exploration",
    "Explored",
    "ExposureLog",
    "Ranked",
    "RunningExperiments",
    "Shadows",
    "depth",
    "explore",
    "read_experiment",
    "running_experiments",
    "shopper_of",
    "unit_of",
]
