"""The neural ranker: a network over the shared features, trained listwise in PyTorch, run in numpy.

Comes in: training examples. Goes out: plain arrays that score a feature matrix. Called by the stage `train_neural` and,
through `training.ranker`, by the recommender.
"""
