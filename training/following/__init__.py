"""From the registry's aliases to the pointers that replicas watch.

Comes in: a registry, which anybody may change. Goes out: `var/run/aliases/*.json` (`training.aliases`). Called by
`tillwise follow`, which `tillwise up` keeps running, and by the service when it starts. MLflow is not imported for a
database or a server: it takes seconds and hundreds of megabytes.
"""

from training.following.base import RegistryError
from training.following.follower import FOLLOWER_BEAT, Follower, run_follower

__all__ = ["FOLLOWER_BEAT", "Follower", "RegistryError", "run_follower"]
