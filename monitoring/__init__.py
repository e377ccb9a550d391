"""How Tillwise is doing: the status of everything that is built and everything that runs.

Comes in: the work folder, the registry, Redis and the service, each only looked at. Goes out: one status for a
person or a machine. Called by `tillwise status`.
"""

from monitoring.status import Area, Status, collect_status

__all__ = ["Area", "Status", "collect_status"]
