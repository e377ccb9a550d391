"""From validated orders to features: the data door, the state features keep, their definitions, the Feast store.

Comes in: contract tables (`features.data`) and live state. Goes out: `assemble(context, candidates)`, the one
feature matrix that training and serving share. Called by `training`, `serving` and `pipelines`.
"""
