"""What the feature store knows: entities, views and services, for `feast apply` and for people who browse it.

Comes in: the column lists of `features.records` and `features.offline`. Goes out: Feast objects. Called by
`features.store` only; nothing else of ours imports Feast.
"""

from features.feast_repo.definitions import definitions

__all__ = ["definitions"]
