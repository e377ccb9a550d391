"""Folds what was answered since the last look into each figure's evidence, and says how each figure is.

What is known of the present champion lies in one file, so that a look reads only what is new. Without the file the next
look reads everything since the champion took over, and comes to the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from configs import Settings
from configs.settings import MonitoringSettings
from monitoring.detector import Evidence, fold
from monitoring.watch.figures import FIGURES, Figure, named, observe
from monitoring.watch.reading import Answers, Place, Served, pages
from monitoring.watch.reference import Held, Reference

RECENT = 300
"""Observations that the live value is the mean of."""
SUSPICIOUS = 0.5
"""Share of the evidence that an alarm takes, from which a figure is called suspicious."""

Verdict = Literal["ok", "suspicious", "breach", "lasting too short", "no reference yet", "nothing seen yet"]


@dataclass(frozen=True)
class Followed:
    """What is known of one figure: up to which answer, against which limit, the evidence, the newest observations.

    `last_at` is the moment of the newest observation; `recent` has values and moments.
    """

    place: Place
    limit: float
    evidence: Evidence
    last_at: float = math.nan
    recent: tuple[tuple[float, float], ...] = ()

    def with_answers(self, figure: Figure, answers: Answers, reference: Reference, watch: Any) -> Followed:
        """Return what is known after whole blocks of answers."""
        whole = answers.part(0, len(answers) // watch.block * watch.block)
        if not len(whole):
            return self
        seen = observe(figure, whole, reference.yardstick, block=watch.block, run=watch.run)
        # Bad is large, so that a limit from below is one from above of what is missing.
        limit = 1 - self.limit if figure.at_least else self.limit
        evidence = fold(self.evidence, seen.badness(figure), seen.at, limit)
        recent = (*self.recent, *zip(seen.values.tolist(), seen.at.tolist(), strict=True))[-RECENT:]
        last = float(seen.at[-1]) if len(seen) else self.last_at
        return replace(self, place=whole.place(len(whole) - 1), evidence=evidence, recent=recent, last_at=last)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        evidence = {name: getattr(self.evidence, name)[0].tolist() for name in ("sums", "best", "since")}
        return {
            "at": self.place.at,
            "request_id": self.place.request_id,
            "limit": self.limit,
            "evidence": {
                name: [None if math.isnan(value) else value for value in row] for name, row in evidence.items()
            },
            "observations": self.evidence.observations,
            "last_at": None if math.isnan(self.last_at) else self.last_at,
            "recent": [list(pair) for pair in self.recent],
        }

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Followed:
        """Return what `as_dict` told."""
        rows = {name: np.array([row], dtype=np.float64) for name, row in told["evidence"].items()}
        recent = tuple((value, at) for value, at in told["recent"])
        evidence = Evidence(**rows, observations=told["observations"])
        last_at = math.nan if told["last_at"] is None else told["last_at"]
        return cls(Place(told["at"], told["request_id"]), told["limit"], evidence, last_at, recent)


@dataclass(frozen=True)
class Watched:
    """How one figure is.

    Attributes:
        name: of the figure. at_least: whether less is worse. reference, limit: None without a reference.
        live: mean of the newest observations, of those since the likely onset if it is not well; None without any.
        evidence: share of the log of the evidence that an alarm takes, 0 to 1 and more.
        onset: since when, unix seconds, if there is any evidence. observations: how many were seen.
    """

    name: str
    at_least: bool
    reference: float | None
    live: float | None
    limit: float | None
    evidence: float
    onset: float | None
    observations: int
    verdict: Verdict


@dataclass(frozen=True)
class References:
    """What figures are held against: the last good champion's, and the version's own first answers; None: not yet."""

    earlier: Reference | None
    own: Reference | None

    def of(self, figure: Figure) -> Reference | None:
        """Return the reference that tells of a figure."""
        for reference in (self.own,) if figure.own else (self.earlier, self.own):
            if reference is not None and figure.name in reference.figures:
                return reference
        return None


@dataclass
class Watch:
    """What is known of the present champion: by figure, and from where on its answers count."""

    start: Place
    followed: dict[str, Followed] = field(default_factory=dict)

    def begin(self, references: References) -> None:
        """Start to follow the figures that have a reference by now; one whose limit moved starts anew."""
        for figure in FIGURES:
            reference = references.of(figure)
            if reference is None:
                continue
            limit, known = reference.figures[figure.name].limit, self.followed.get(figure.name)
            if known is None or known.limit != limit:
                # What made the reference is not held against it.
                place = self.start if reference is references.earlier else max(self.start, reference.last)
                self.followed[figure.name] = Followed(place, limit, Evidence.none())

    def look(self, settings: Settings, package: str, references: References, until: Mapping[bool, float]) -> None:
        """Take in what is new; `until`: up to when answers count, of figures that mature (True) and of others."""
        for matures in (True, False):
            names = [figure.name for figure in FIGURES if figure.matures is matures and figure.name in self.followed]
            # Figures that are equally far read the same pages; usually all are.
            for place in sorted({self.followed[name].place for name in names}):
                group = [name for name in names if self.followed[name].place == place]
                self._read(settings, Served(package, place, until[matures]), named(group), references)

    def _read(self, settings: Settings, served: Served, figures: Sequence[Figure], references: References) -> None:
        watch, rest = settings.monitoring.watch, None
        for page in pages(settings, served, reached=figures[0].matures):
            answers = page if rest is None else rest.joined(page)
            for figure in figures:
                reference = references.of(figure)
                assert reference is not None
                known = self.followed[figure.name]
                self.followed[figure.name] = known.with_answers(figure, answers, reference, watch)
            rest = answers.part(len(answers) // watch.block * watch.block, len(answers))

    def told(self, references: References, settings: MonitoringSettings) -> list[Watched]:
        """Return how every figure is."""
        found = []
        for figure in FIGURES:
            reference, known = references.of(figure), self.followed.get(figure.name)
            if reference is None or known is None:
                found.append(Watched(figure.name, figure.at_least, None, None, None, 0.0, None, 0, "no reference yet"))
            else:
                found.append(_told(figure, reference.figures[figure.name], known, settings))
        return found

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        followed = {name: known.as_dict() for name, known in self.followed.items()}
        return {"start": [self.start.at, self.start.request_id], "followed": followed}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Watch:
        """Return what `as_dict` told."""
        return cls(Place(*told["start"]), {name: Followed.of(known) for name, known in told["followed"].items()})


def threshold(figure: Figure, settings: MonitoringSettings) -> float:
    """Return the sum of evidence that is an alarm.

    All figures' sums together grow by at most one an answer while all is well, so each may take its part of the alarms
    that are allowed. A run is several answers, and is one observation.
    """
    watch = settings.watch
    return watch.false_alarm_answers * len(FIGURES) / (1 if figure.of_people else watch.run)


def _told(figure: Figure, held: Held, known: Followed, settings: MonitoringSettings) -> Watched:
    share = max(0.0, math.log(max(1.0, float(known.evidence.total[0]))) / math.log(threshold(figure, settings)))
    onset = float(known.evidence.onset[0])
    ill = share >= SUSPICIOUS
    values = [value for value, at in known.recent if not ill or at >= onset] or [value for value, _ in known.recent]
    lasting = known.last_at - onset >= settings.watch.least_seconds
    verdict: Verdict = "ok"
    if not values:
        verdict = "nothing seen yet"
    elif share >= 1:
        verdict = "breach" if lasting else "lasting too short"
    elif ill:
        verdict = "suspicious"
    live = float(np.mean(values)) if values else None
    seen = known.evidence.observations
    at = None if math.isnan(onset) else onset
    return Watched(figure.name, figure.at_least, held.value, live, held.limit, share, at, seen, verdict)
