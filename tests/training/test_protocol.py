"""The evaluation cases: those of the protocol that the anchor figures were measured with."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import Settings, StageReport
from features.history import ingest_record, load_history
from features.windows import Window, cut_windows
from tests.features.histories import START, Bought, history
from training.protocol import HIDDEN_SHARE, Variant, fingerprint, held_out_cases, make_cases

EVERYTHING = Window(START - 1, START + 10**9)


@pytest.mark.parametrize(("variant", "expected"), [("loo", "3a59cccc2112572a"), ("hide30", "0e93ba5c7738a6f4")])
def test_the_real_datas_test_cases_are_the_reference_protocols(
    complete_journey: tuple[Settings, StageReport], variant: Variant, expected: str
) -> None:
    cases = held_out_cases(complete_journey[0], variant)
    assert len(cases) == 7_925
    # The reference hashes numeric ids, ordered as numbers.
    digest = hashlib.sha256()
    for case in sorted(cases, key=lambda case: int(case.order_id)):
        cart, hidden = sorted(map(int, case.cart)), sorted(map(int, case.hidden))
        digest.update(f"{case.order_id}|{cart}|{hidden}\n".encode())
    assert digest.hexdigest()[:16] == expected


def test_the_real_datas_windows_are_the_reference_weeks(complete_journey: tuple[Settings, StageReport]) -> None:
    settings = complete_journey[0]
    past = load_history(settings.work.data)
    windows = cut_windows(past, ingest_record(settings.work.data)["timezone"], settings.windows)
    assert len(past.before(windows.test.start)) == 130_109
    assert len(past.before(windows.folds[-1].start)) == 119_432
    assert len(past.before(windows.folds[-2].start)) == 108_611


@given(st.sets(st.integers(0, 11), min_size=3), st.sampled_from(list(HIDDEN_SHARE.values())), st.integers(0, 99))
def test_cart_and_hidden_split_the_basket(products: set[int], share: float, seed: int) -> None:
    past = history([Bought(START, 0, tuple(products))])
    (case,) = make_cases(past, EVERYTHING, hidden_share=share, min_products=3, seed=seed)
    assert set(case.cart.tolist()) | set(case.hidden.tolist()) == products
    assert not set(case.cart.tolist()) & set(case.hidden.tolist())
    assert case.hidden.size == max(1, int(share * len(products) + 0.5))
    again = make_cases(past, EVERYTHING, hidden_share=share, min_products=3, seed=seed)
    assert fingerprint(past, [case]) == fingerprint(past, again)


def test_small_baskets_and_those_outside_the_window_are_no_cases() -> None:
    past = history([Bought(START, 0, (1, 2)), Bought(START + 10, 0, (1, 2, 3)), Bought(START + 99, 0, (1, 2, 3))])
    cases = make_cases(past, Window(START, START + 50), hidden_share=0.3, min_products=3, seed=1)
    assert [case.at for case in cases] == [START + 10]


def test_another_seed_hides_other_products() -> None:
    past = history([Bought(START + n, 0, tuple(range(12))) for n in range(20)])
    hidden = [
        np.concatenate([case.hidden for case in make_cases(past, EVERYTHING, hidden_share=0, min_products=3, seed=s)])
        for s in (1, 2)
    ]
    assert not np.array_equal(*hidden)
