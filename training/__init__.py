"""From features to a served model: cases, candidates, the ranker, evaluation, packages and the registry.

Comes in: history and the feature store. Goes out: a model package (`ModelPackage`) that `Recommender` ranks with, in
evaluation, replay and serving alike. Called by `pipelines` (stages) and `serving` (the package's interface).
"""
