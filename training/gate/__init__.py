"""The gate before an alias: is a version fit to serve, and better than what serves?

Comes in: a registered version with its evaluation and its trial, the champion, and the held-out baskets of the work
folder. Goes out: a verdict, one check after the other. Called by `training.promotion`; it moves nothing itself.
"""

from training.gate.judging import Candidate, Incumbent, judge
from training.gate.verdict import Check, Verdict

__all__ = ["Candidate", "Check", "Incumbent", "Verdict", "judge"]
