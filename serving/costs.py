"""What each way to rank has cost lately: the basis of deciding whether there is time for it."""

from __future__ import annotations

import math
from collections import defaultdict, deque
from dataclasses import dataclass, field

NEWEST = 50
QUANTILE = 0.9
HALF_LIFE_SECONDS = 5.0


@dataclass
class _Lately:
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=NEWEST))
    least: float = math.inf
    at: float = -math.inf


class Costs:
    """Remembers the newest costs of each name; a quantile of them, so that one pause does not condemn a way to rank."""

    def __init__(self) -> None:
        self._lately: defaultdict[str, _Lately] = defaultdict(_Lately)

    def add(self, name: str, seconds: float, now: float) -> None:
        """Take in what `name` cost, at `now` (monotonic seconds)."""
        known = self._lately[name]
        known.seconds.append(seconds)
        known.least, known.at = min(known.least, seconds), now

    def expected(self, name: str, now: float) -> float:
        """Return the seconds to reckon with: the 0.9 quantile of the newest costs; 0 while nothing is known.

        What is too dear is not tried and would be too dear for ever: without new costs the figure halves every
        5 seconds, down to the least that was ever seen.
        """
        known = self._lately.get(name)
        if known is None:
            return 0.0
        costs = sorted(known.seconds)
        high = costs[int(QUANTILE * (len(costs) - 1))]
        return max(known.least, high * math.exp2((known.at - now) / HALF_LIFE_SECONDS))
