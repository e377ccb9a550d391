"""The bias audit: whom the model serves worse, and which products it keeps from view.

Comes in: the model's lists for the held-out cases, what was taken, the shop's table of shoppers. Goes out: the part
`audit` of `evaluation.json`, on which promotion rests. Called by `training.evaluation.stage`.
"""

from training.evaluation.audit.run import Audited, audit

__all__ = ["Audited", "audit"]
