"""The parts of `benchmarks.bench`: what is asked, of which processes, at which load, and what comes of it.

Comes in: a work folder with data, features and a model package. Goes out: figures next to floors of the same run.
Called by `benchmarks.bench` only.
"""
