"""How good is the model, and how sure are we: every arm on the same held-out cases, judged, sliced and compared.

Comes in: a model package, the history and shopper states just before each basket. Goes out: `reports/evaluation.json`,
plots and a model card. Called by the stage `evaluate` (`training.evaluation.stage`).
"""
