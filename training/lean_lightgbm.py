"""LightGBM without scikit-learn and pandas, which nothing here hands to it.

They are 1.1 of the 1.15 seconds of processor time that its import takes, and 130 of the 190 MB that a process holds
after it. Where one of them is loaded already, it is as ever.
"""

from configs.absent import absent

with absent("sklearn", "pandas"):
    import lightgbm as lgb

__all__ = ["lgb"]
