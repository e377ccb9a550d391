"""The student: a small network distilled from the blend of both rankers, served by ONNX Runtime in float32 or int8.

Comes in: training examples and the blend's log-odds on them. Goes out: two ONNX models that score a raw feature matrix.
Called by the stage `package` and, through `training.ranker`, by the recommender.
"""
