"""Answers that a session was just given: a page that is drawn twice asks twice, and is shown one answer.

Kept for about two seconds, by a worker for itself. An answer's name is all that it is made of: the whole question,
what Redis holds of session and shopper, byte by byte, and what is served. So any event of the session ends it,
whichever worker the next request comes to, and nothing has to be told to anybody. The answer keeps its `request_id` and
is not logged as a second exposure.

Two workers that are asked in the same two seconds answer for themselves, on purpose. To share answers in Redis, every
request would write one that hardly any ever reads: a browser keeps its connection, and with it its worker. What a
second answer costs is one ranking and a second exposure with a `request_id` of its own. Both show the same products,
where no chance rules: they are made of the same. Outcomes that name no `request_id` go to the newer one.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import msgspec

from serving.schema import RecommendationAnswer, RecommendationRequest
from serving.state import Known

Name = tuple[bytes, bytes, tuple[str | None, ...]]


class RecentAnswers:
    """The newest answers of a worker.

    Args:
        seconds: that an answer holds; 0: none is kept. most: how many are kept. clock: monotonic seconds.
    """

    def __init__(self, seconds: float, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds, self._most, self._clock = seconds, most, clock
        self._encode = msgspec.msgpack.Encoder().encode
        self._kept: OrderedDict[Name, tuple[float, RecommendationAnswer]] = OrderedDict()

    def find(
        self, request: RecommendationRequest, known: Known, *served: str | None
    ) -> tuple[Name | None, RecommendationAnswer | None]:
        """Return the name of the answer to a request, None if it is not one to keep; and the answer, if it is kept.

        Args:
            request: the question. Without a session two that are equal may be two people's; at a moment of the past,
                it is a replay; and an explanation is for one operator.
            known: what was read for it. served: versions of all that makes the answer.
        """
        repeatable = request.session_id is not None and request.at is None and not request.explain
        if not self._seconds or not repeatable or known.digest is None:
            return None, None
        name = (self._encode(request), known.digest, served)
        kept = self._kept.get(name)
        if kept is None or self._clock() >= kept[0]:
            return name, None
        self._kept.move_to_end(name)
        return name, kept[1]

    def keep(self, name: Name | None, answer: RecommendationAnswer) -> RecommendationAnswer:
        """Return the answer, kept if it has a name; a degraded one is not, since the next may be whole again."""
        if name is not None and answer.fallback is None:
            self._kept[name] = (self._clock() + self._seconds, answer)
            self._kept.move_to_end(name)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return answer
