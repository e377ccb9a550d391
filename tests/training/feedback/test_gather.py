"""From the record to examples: which answers are learned from, what came of them, and what leaves no trace."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from configs import load_settings
from events.exposure import Shown
from events.record.forgetting import RecordEraser
from features.definitions import COLUMNS
from features.exposed import pack
from tests.events.builders import NOW
from tests.support.postgres import on_each_database
from tests.training.feedback.rehearsal import DAY, Rehearsal, back, bought, taken, wide
from training.dataset import held_back_shoppers
from training.feedback import shown
from training.feedback.examination import CONFIGURED
from training.feedback.extent import extent
from training.feedback.gather import NOTHING_CAME, STRANGE, TOO_FEW
from training.feedback.span import closed_until, is_learned_from, span_of


@on_each_database
def test_features_and_outcomes_come_out_of_the_record_as_they_were_scored_and_happened(rehearsal: Rehearsal) -> None:
    record = rehearsal.record
    record.store(rehearsal.answer("r1", "a", "b", "c"), rehearsal.answer("r2", "d", "e", at=10))
    record.store(taken("add", "b", "r1", "1"), taken("click", "c", "r1", "2"), bought("o1", "b"))
    record.flush()  # these lie in a file now
    record.store(rehearsal.answer("r3", "f", "g", at=20), bought("o2", "g"))
    found = rehearsal.learned()
    assert found.examples is not None
    assert found.came == {"click": 1, "order": 2}
    assert (found.exposures, found.skipped) == (3, {NOTHING_CAME: 1})
    assert found.examples.group.tolist() == [2, 2, 2]
    assert found.examples.label.tolist() == [0, 1, 0, 1, 0, 1]
    first, third = rehearsal.rows["r1"], rehearsal.rows["r3"]
    assert found.examples.features.tobytes() == np.concatenate([first[[0, 1]], first[[0, 2]], third]).tobytes()
    assert found.examination is not None
    assert found.examination.source == CONFIGURED
    assert found.as_dict()["draws"] == 3


@on_each_database
def test_what_came_back_was_not_taken_and_a_part_that_stayed_was(rehearsal: Rehearsal) -> None:
    rehearsal.record.store(rehearsal.answer("r1", "a", "b", "c", "d"))
    rehearsal.record.store(taken("add", "a", "r1", "1"), taken("add", "d", "r1", "2"), bought("o1", "a", "b"))
    assert rehearsal.learned().came == {"add": 1, "order": 2}
    rehearsal.record.store(back("o1", "a"))
    found = rehearsal.learned()
    assert found.came == {"add": 1, "order": 1}
    assert found.examples is not None
    of_b = found.examples.features[: found.examples.group[0]]
    assert of_b.tobytes() == rehearsal.rows["r1"][:3].tobytes()  # a is among what was not taken
    rehearsal.record.store(back("o1", at=6 * DAY))
    assert rehearsal.learned().came == {"add": 1}


def test_answers_that_cannot_be_learned_from_are_left_out_and_counted_by_reason(rehearsal: Rehearsal) -> None:
    apart = held_back_shoppers(rehearsal.history, rehearsal.settings)
    held_back = rehearsal.history.shopper_ids[int(np.flatnonzero(apart)[0])]
    unknown = (Shown("a", 1.0, None), Shown("b", 0.5, 1.0))
    unfit = {
        shown.OTHER_MOMENT: [{"now": rehearsal.as_of}, {"now": rehearsal.as_of - 91 * DAY}],
        shown.DEGRADED: [{"fallback": "redis does not answer"}],
        shown.NO_FEATURES: [{"columns": "", "features": b""}],
        shown.OTHER_COLUMNS: [{"columns": "0123456789ab", "features": pack(np.zeros((2, 3), dtype=np.float32))}],
        shown.NO_PROPENSITY: [{"lines": unknown}],
    }
    answers = [rehearsal.answer("fit", "a", "b"), rehearsal.answer("apart", "a", "b", shopper_id=held_back)]
    told = [change for changes in unfit.values() for change in changes]
    answers += [rehearsal.answer(f"r{number}", "a", "b", told=change) for number, change in enumerate(told)]
    rehearsal.record.store(*answers)
    rehearsal.record.store(
        *(taken("add", "a", str(one.request_id), f"m{number}") for number, one in enumerate(answers))
    )
    found = rehearsal.learned()
    assert found.came == {"add": 1}
    assert found.skipped == {reason: len(changes) for reason, changes in unfit.items()} | {shown.HELD_BACK: 1}
    assert found.exposures == len(answers)


def test_a_model_whose_features_lie_outside_of_what_baskets_show_is_not_learned_from(rehearsal: Rehearsal) -> None:
    broken = np.full((2, len(COLUMNS)), 0.5, dtype=np.float32)
    broken[:, COLUMNS.index("encoder_score")] = 100.0
    told = {"features": pack(broken), "model_version": "broken"}
    rehearsal.record.store(rehearsal.answer("r1", "a", "b"), rehearsal.answer("r2", "a", "b", told=told))
    rehearsal.record.store(taken("add", "a", "r1", "1"), taken("add", "a", "r2", "2"))
    found = rehearsal.learned()
    assert (found.came, found.skipped) == ({"add": 1}, {STRANGE.format("encoder_score"): 1})
    everything = replace(wide(), features=wide().features * 1000)
    assert rehearsal.learned(everything).came == {"add": 2}


@on_each_database
def test_an_erased_person_is_in_no_example_any_more_and_the_stage_is_stale(rehearsal: Rehearsal) -> None:
    record = rehearsal.record
    hers = {"session_id": "hers", "unit": "anna"}
    record.store(rehearsal.answer("r1", "a", "b"), rehearsal.answer("r2", "c", "d", "e", **hers))
    record.flush()
    record.store(taken("add", "a", "r1", "1"), taken("add", "d", "r2", "2"), rehearsal.answer("r3", "c", "d", **hers))
    before, extent_before = rehearsal.learned(), extent(record.settings, NOW + DAY)
    asyncio.run(RecordEraser(record.settings).erase(["anna", "hers"], NOW + DAY))
    after = rehearsal.learned()
    assert before.examples is not None
    assert after.examples is not None
    assert (before.exposures, after.exposures) == (3, 1)
    assert after.examples.features.tobytes() == rehearsal.rows["r1"].tobytes()
    assert after.fingerprint != before.fingerprint
    assert extent(record.settings, NOW + DAY) != extent_before


def test_too_few_products_taken_are_no_examples_at_all(rehearsal: Rehearsal) -> None:
    rehearsal.record.store(rehearsal.answer("r1", "a", "b"), taken("add", "a", "r1", "1"))
    found = rehearsal.learned(least_draws=2)
    assert (found.examples, found.fingerprint, found.came) == (None, None, {})
    assert found.skipped == {TOO_FEW: 1}


def test_without_anything_recorded_or_switched_off_baskets_stay_the_very_same(rehearsal: Rehearsal) -> None:
    assert rehearsal.learned().examples is None
    rehearsal.record.store(rehearsal.answer("r1", "a", "b"), taken("add", "a", "r1", "1"))
    off = rehearsal.learned(enabled=False)
    assert (off.examples, off.fingerprint, off.exposures) == (None, None, 0)
    on = rehearsal.learned().examples
    assert on is not None
    assert on.group.tolist() == [2]
    assert on.weight is not None
    assert on.weight.tolist() == [1, 1]


@on_each_database
def test_only_the_newest_answers_are_read_where_there_are_more_than_may_be(rehearsal: Rehearsal) -> None:
    record = rehearsal.record
    for number in range(6):
        at = number * DAY
        record.store(rehearsal.answer(f"r{number}", "a", "b", at=at, received_at=NOW + at))
        record.store(taken("add", "a", f"r{number}", f"m{number}", at=at + 1))
        if number % 2:
            record.flush()
    found = rehearsal.learned(most_exposures=2)
    assert found.exposures == 2
    assert found.examples is not None
    assert found.examples.features.tobytes() == np.concatenate([rehearsal.rows["r4"], rehearsal.rows["r5"]]).tobytes()


def test_the_same_record_gives_the_same_examples_whichever_way_its_files_lie(rehearsal: Rehearsal) -> None:
    record = rehearsal.record
    for number in range(3):
        record.store(
            rehearsal.answer(f"r{number}", "a", "b", "c", at=number), taken("add", "a", f"r{number}", f"m{number}")
        )
        record.flush()
    before, told = rehearsal.learned(), extent(record.settings, NOW + DAY)
    record.compact()
    again = rehearsal.learned()
    assert before.fingerprint == again.fingerprint
    assert before.fingerprint is not None
    assert extent(record.settings, NOW + DAY) == told


@on_each_database
def test_what_makes_examples_stale_is_a_day_that_is_over_and_not_an_event_of_today(rehearsal: Rehearsal) -> None:
    record, noon = rehearsal.record, NOW - NOW % DAY + DAY / 2
    record.store(rehearsal.answer("r1", "a", "b", at=noon - DAY - NOW))
    today = closed_until("live", noon)
    told = extent(record.settings, today)
    assert told != ""
    record.store(rehearsal.answer("r2", "a", "b", at=noon - 60 - NOW), taken("add", "a", "r2", "1", at=noon - NOW))
    assert extent(record.settings, today) == told
    tomorrow = closed_until("live", noon + DAY)
    assert extent(record.settings, tomorrow) != told
    assert extent(record.settings, NOW - 30 * DAY) == ""


def test_a_day_is_over_once_what_came_at_its_end_has_been_recorded() -> None:
    midnight = NOW - NOW % DAY
    assert closed_until("live", midnight + 1800) == midnight - DAY
    assert closed_until("live", midnight + 3600) == midnight
    assert closed_until("live", midnight + DAY - 1) == midnight
    assert closed_until("historical", midnight + 7) == midnight + 7


def test_nothing_after_the_cutoff_is_known_of_and_no_answer_whose_outcomes_are_not_complete() -> None:
    settings = load_settings(feedback={"days": 30}, monitoring={"attribution_minutes": 60})
    midnight = NOW - NOW % DAY
    cut = span_of(settings, "live", midnight - 5 * DAY, midnight + DAY / 2)
    assert (cut.known, cut.until) == (midnight - 5 * DAY, midnight - 5 * DAY - 3600)
    assert (cut.since, cut.ranked_until) == (midnight - 35 * DAY, midnight - 5 * DAY)
    fresh = span_of(settings, "live", midnight + DAY, midnight + DAY / 2)
    assert (fresh.known, fresh.until) == (midnight, midnight - 3600)


@pytest.mark.parametrize(
    ("clock", "rehearsals", "enabled", "expected"),
    [
        ("live", False, True, True),
        ("live", True, False, False),
        ("historical", False, True, False),
        ("historical", True, True, True),
    ],
)
def test_beside_a_historical_data_set_shoppers_are_simulated_and_only_a_rehearsal_learns_from_them(
    clock: str, rehearsals: bool, enabled: bool, expected: bool
) -> None:
    settings = load_settings(feedback={"rehearsals": rehearsals, "enabled": enabled})
    assert is_learned_from(settings, clock) is expected
