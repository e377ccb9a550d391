"""Who may do what, how often, and what browsers are told.

Comes in: requests with or without keys. Goes out: a request let through, or 401, 403, 404, 429 with what to do; headers
of answers. Called by `serving.app`, whose routes name the scope that they need.
"""

from serving.access.bucket import Bucket
from serving.access.gate import IN_BODY, OPEN, Gate, Keeper, needs
from serving.access.headers import HeaderWriter, cors_of
from serving.access.limits import Limits
from serving.access.time_limit import TimeLimit

__all__ = ["IN_BODY", "OPEN", "Bucket", "Gate", "HeaderWriter", "Keeper", "Limits", "TimeLimit", "cors_of", "needs"]
