"""Composition only: what is built in which order, what runs beside what, and the `tillwise` command over both.

Comes in: settings. Goes out: a built work folder and running processes. Called by people, `make`, DVC and
schedulers; the work itself is done by the stage functions of the other folders.
"""

from pipelines.build import Outcome, build
from pipelines.stages import STAGES, Stage

__all__ = ["STAGES", "Outcome", "Stage", "build"]
