"""What every other folder stands on: settings, dataset mappings, the work folder, errors, logs, stage reports.

Comes in: `default.yaml`, `datasets/*.yaml` and `TILLWISE_*` environment variables. Goes out: one immutable
`Settings` object. Imports nothing of ours, so that anything may import it.
"""

from configs.errors import TillwiseError
from configs.settings import Settings, load_settings
from configs.stage import Progress, SilentProgress, StageReport

__all__ = [
    "Progress",
    "Settings",
    "SilentProgress",
    "StageReport",
    "TillwiseError",
    "load_settings",
]
