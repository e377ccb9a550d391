"""One look at the live model: is it worse than what served before, and are its inputs what it learned from?

Comes in: the system of record, the event log, the registry. Goes out: a verdict for each figure; a rollback with an
incident where one is confirmed, a wish for a retrain where only inputs changed. Called by `tillwise monitor` and, every
few minutes, by a flow.

`tenure.py` tells who serves since when, `reading.py` what was shown and what came of it, `figures.py` what of that is
watched, `reference.py` what it is held against, `watching.py` folds it into `monitoring/detector.py`, `drift.py` looks
at inputs, `deciding.py` decides, `acting.py` acts, `stage.py` is the whole look.
"""

from monitoring.watch.incidents import Incident, read_incidents
from monitoring.watch.stage import monitor

__all__ = ["Incident", "monitor", "read_incidents"]
