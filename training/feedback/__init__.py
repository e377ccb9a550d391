"""Learning from what was shown: exposures with what came of them, as examples beside those that baskets give.

Comes in: exposures of the event log with the features they were scored by, and clicks, adds, orders and returns of the
system of record. Goes out: draws with weights, and how many answers were left out for which reason. Called where
examples are built, and by the stage table for what makes them stale.
"""

from training.feedback.extent import feedback_fingerprint
from training.feedback.gather import Feedback, feedback_examples

__all__ = ["Feedback", "feedback_examples", "feedback_fingerprint"]
