"""From the system of record to training examples: exposures, what came of them, weights."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_

from configs import Settings
from events.record.attribution import Attribution, with_exposures
from events.record.log import log_folder, read_exposures
from features.history import History, ingest_record
from training.examples import Examples
from training.feedback.draws import chance_to_be_seen, draws_of
from training.feedback.examination import Examination, Looks, examine
from training.feedback.outcomes import Came, outcomes_of, read_outcomes
from training.feedback.shown import Exposures, exposures_of
from training.feedback.skew import strange_versions
from training.feedback.span import Span, is_learned_from, span_of
from training.neural.network import Scaling

NOTHING_CAME = "nothing came of it"
STRANGE = "of a model whose {} lies far outside of what baskets show"
TOO_FEW = "too few products taken to learn from"


@dataclass(frozen=True)
class Feedback:
    """What is learned of shown products.

    Attributes:
        examples: draws to learn from; None if there is nothing to. fingerprint: of them, None likewise.
        exposures: answers read. came: draws by what came of their product. skipped: answers left out, by reason.
        examination: how likely places are looked at; None if nothing was shown.
    """

    examples: Examples | None = None
    fingerprint: str | None = None
    exposures: int = 0
    came: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    examination: Examination | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the figures, for a report."""
        told = self.examination
        return {
            "exposures": self.exposures,
            "draws": 0 if self.examples is None else int(self.examples.group.size),
            "came": self.came,
            "skipped": self.skipped,
            "examination": None if told is None else {"source": told.source, "curve": told.curve.round(4).tolist()},
            "fingerprint": self.fingerprint,
        }


def feedback_examples(settings: Settings, history: History, as_of: float, baskets: Examples) -> Feedback:
    """Return what is to be learned of exposures beside baskets.

    Args:
        settings: feedback, monitoring (attribution), record. history: whose held-back shoppers are left out.
        as_of: the model's cutoff, unix seconds. baskets: the examples that they are to join.

    Raises:
        ConfigError: the record's URL cannot be used. DataError: the record cannot be read.
    """
    clock = ingest_record(settings.work.data)["clock"]
    if not is_learned_from(settings, clock):
        return Feedback()
    span = span_of(settings, clock, as_of, time.time())
    with with_exposures(settings) as connection:
        if connection is None:
            return Feedback()
        shown, read = _shown(settings, connection, span, _held_back(settings, history))
        known = read_outcomes(
            connection,
            Attribution.of(settings, connection, span.known),
            lambda rows: and_(rows.c.at >= span.since, rows.c.at < span.until),
        )
    for version, column in strange_versions(shown, baskets.features, settings.feedback.most_outside).items():
        other = np.array([name != version for name in shown.versions], dtype=bool)
        shown = shown.only(other, STRANGE.format(column))
    return learned(settings, shown, outcomes_of(shown, known), read)


def learned(settings: Settings, shown: Exposures, came: NDArray[np.int8], read: int) -> Feedback:
    """Return what is to be learned of what was shown; `came`: int8[rows], as `Came`. `read`: answers read."""
    if not shown.products:
        return Feedback(exposures=read, skipped=shown.skipped)
    told = examine(looks_of(shown, came), settings.feedback.examination)
    examples, of_draw = draws_of(shown, came, chance_to_be_seen(shown, told.curve), settings.feedback)
    count = {outcome.name.lower(): int((of_draw == outcome).sum()) for outcome in Came}
    skipped = dict(shown.skipped)
    something = np.zeros(len(shown), dtype=bool)
    something[shown.exposure[came > Came.RETURNED]] = True
    if not something.all():
        skipped[NOTHING_CAME] = int((~something).sum())
    if examples.group.size < settings.feedback.least_draws:
        if something.any():
            skipped[TOO_FEW] = int(something.sum())
        return Feedback(None, None, read, {}, skipped, told)
    return Feedback(
        examples, _digest(examples), read, {name: times for name, times in count.items() if times}, skipped, told
    )


def _held_back(settings: Settings, history: History) -> Collection[str]:
    from training.dataset import held_back_shoppers  # with PyTorch: seconds to import

    apart = held_back_shoppers(history, settings)
    return [history.shopper_ids[row] for row in np.flatnonzero(apart).tolist()]


def _shown(settings: Settings, connection: Connection, span: Span, apart: Collection[str]) -> tuple[Exposures, int]:
    """Return what can be learned from, and how many answers were read."""
    rows = read_exposures(connection, log_folder(settings), span.since, span.until, settings.feedback.most_exposures)
    return exposures_of(rows, span.ranked_since, span.ranked_until, apart), len(rows)


def looks_of(shown: Exposures, came: NDArray[np.int8]) -> Looks:
    """Return what examination is told from; `came`: int8[rows], as `Came`."""
    score = np.zeros(shown.score.size)
    names, version = np.unique(shown.versions, return_inverse=True)
    for number in range(names.size):  # scores are comparable within one model only
        mine = version[shown.exposure] == number
        score[mine] = (shown.score[mine] - shown.score[mine].mean()) / max(float(shown.score[mine].std()), 1e-9)
    inputs = Scaling.of(shown.features).inputs(shown.features)
    inputs = inputs[:, np.ptp(inputs, axis=0) > 0]
    return Looks(
        shown.exposure,
        shown.place,
        came != Came.NOTHING,
        shown.by_chance & shown.explored[shown.exposure],
        np.concatenate([inputs.astype(np.float64), score[:, None], score[:, None] ** 2], axis=1),
    )


def _digest(examples: Examples) -> str:
    digest = hashlib.sha256()
    for array in (examples.features, examples.label, examples.group, examples.weight):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
