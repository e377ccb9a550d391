"""What the session did lately counts in the arm `signals`, and in `model` only if the settings say so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from features.activity import NOTHING, Action, RecentActivity
from features.context import Context
from features.shopper import ShopperState
from training.candidates import generate, session
from training.package import ModelPackage
from training.reasons import reason_for
from training.recommender import ARMS, Recommender


def browsing(package: ModelPackage, weight: float) -> Recommender:
    """Return a recommender whose model counts recent activity with a weight."""
    return Recommender(replace(package, ranking=package.ranking.model_copy(update={"signals": weight})))


def unlikely(package: ModelPackage, recommender: Recommender, arm: str) -> str:
    """Return a product in stock that is no candidate for a stranger with an empty cart, else the last of the list."""
    context = recommender.context([], ShopperState.empty(), package.as_of)
    ranked = recommender.rank(context, 1_000, arm)[0]
    others = np.setdiff1d(np.flatnonzero(package.products.in_stock), ranked)
    return package.products.ids[int(others[0] if others.size else ranked[-1])]


def viewed(package: ModelPackage, *products: str, ago: float = 0.0) -> list[Action]:
    return [(product, package.as_of - ago, "view") for product in products]


def test_a_product_just_looked_at_is_recommended_and_says_why(package: ModelPackage) -> None:
    recommender, stranger = Recommender(package), ShopperState.empty()
    product = unlikely(package, recommender, "signals")
    seen = viewed(package, product)
    first = recommender.recommend([], stranger, package.as_of, 5, "signals", activity=seen)[0]
    assert (first.product_id, first.reason) == (product, "You looked at this just now")
    later = recommender.recommend([], stranger, package.as_of + 86_400, 5, "signals", activity=seen)
    assert product not in {item.product_id for item in later}
    assert all("looked" not in item.reason for item in later)


def test_what_goes_with_it_says_so(package: ModelPackage) -> None:
    popular = int(package.matrix.by_popularity[0])
    product, title = package.products.ids[popular], package.products.titles[popular]
    found = Recommender(package).recommend(
        [], ShopperState.empty(), package.as_of, 10, "signals", activity=viewed(package, product)
    )
    partners = set(package.matrix.together.cosine.rows(np.array([popular], dtype=np.int32))[0].tolist())
    told = {package.matrix.row_of[item.product_id] for item in found if item.reason.startswith("Goes with")}
    assert told
    assert told <= partners
    assert {item.reason for item in found if item.reason.startswith("Goes with")} == {
        f"Goes with {title}, which you looked at"
    }


@pytest.mark.parametrize("arm", ARMS)
def test_activity_makes_no_difference_to_other_arms(package: ModelPackage, regular: ShopperState, arm: str) -> None:
    recommender, cart = Recommender(package), package.products.ids[5:8]
    seen = viewed(package, unlikely(package, recommender, arm), *package.products.ids[20:24])
    without = recommender.recommend(cart, regular, package.as_of, 10, arm)
    with_it = recommender.recommend(cart, regular, package.as_of, 10, arm, activity=seen)
    assert (with_it == without) == (arm != "signals")


def test_a_product_that_the_catalogue_does_not_know_changes_nothing(
    package: ModelPackage, regular: ShopperState
) -> None:
    recommender, at = Recommender(package), package.as_of
    unknown: list[Action] = [("nobody sells this", float(at), "view")]
    answers = [recommender.recommend([], regular, at, 10, "signals", activity=seen) for seen in ([], unknown)]
    assert answers[0] == answers[1]


def test_with_a_weight_browsing_counts_in_the_model_and_fades(package: ModelPackage, regular: ShopperState) -> None:
    recommender, cart = browsing(package, 5.0), package.products.ids[5:8]
    product = unlikely(package, recommender, "model")
    seen = viewed(package, product)

    def place(seconds: float, activity: list[Action]) -> int:
        context = recommender.context(cart, regular, package.as_of + seconds, activity)
        rows = recommender.rank(context, 1_000)[0].tolist()
        return rows.index(package.matrix.row_of[product])

    assert place(0, seen) < place(600, seen) < place(86_400, seen)
    answer = recommender.recommend(cart, regular, package.as_of, 10, activity=viewed(package, product))
    assert {item.reason for item in answer if item.product_id == product} <= {"You looked at this just now"}


def test_a_weight_without_activity_changes_nothing(package: ModelPackage, regular: ShopperState) -> None:
    cart = package.products.ids[5:8]
    plain, weighted = Recommender(package), browsing(package, 5.0)
    context = plain.context(cart, regular, package.as_of)
    for arm in ARMS:
        (rows, scores), (again, same) = plain.rank(context, 50, arm), weighted.rank(context, 50, arm)
        assert rows.tobytes() == again.tobytes()
        assert scores.tobytes() == same.tobytes()


def test_what_the_model_scores_does_not_depend_on_which_arm_was_asked_before(
    package: ModelPackage, regular: ShopperState
) -> None:
    recommender = Recommender(package)
    context = recommender.context([], regular, package.as_of, viewed(package, *package.products.ids[:9]))
    alone = Recommender(package).rank(context, 20)
    recommender.rank(context, 20, "signals")
    assert recommender.rank(context, 20)[1].tobytes() == alone[1].tobytes()


def with_activity(package: ModelPackage, activity: RecentActivity, cart: tuple[int, ...] = ()) -> Context:
    return Context(package.matrix, ShopperState.empty(), np.array(cart, dtype=np.int32), float(package.as_of), activity)


def activity(package: ModelPackage, *actions: Action) -> RecentActivity:
    return RecentActivity.of(actions, package.matrix.row_of, 50)


def test_without_activity_browsing_brings_no_candidates(package: ModelPackage) -> None:
    asked = with_activity(package, NOTHING)
    plain, more = (generate(asked, package.candidates, browsing=browsing) for browsing in (False, True))
    assert session.generate(asked, 60).size == 0
    assert plain.tobytes() == more.tobytes()


@pytest.mark.parametrize("limit", [0, 1, 2, 5, 60])
def test_what_was_seen_comes_first_then_its_partners(package: ModelPackage, limit: int) -> None:
    ids, at = package.products.ids, float(package.as_of)
    asked = with_activity(package, activity(package, *((ids[row], at - row, "view") for row in range(10))))
    rows = session.generate(asked, limit)
    assert rows.dtype == np.int32
    assert np.unique(rows).size == rows.size <= limit
    own = min(10, (limit + 1) // 2)
    assert rows[:own].tolist() == list(range(own))
    partners = package.matrix.together.cosine.rows(np.arange(own, dtype=np.int32))[0]
    assert set(rows[own:].tolist()) <= set(partners.tolist()) - set(range(own))


def test_reasons_tell_a_change_of_mind_and_how_long_ago(package: ModelPackage) -> None:
    ids, at = package.products.ids, float(package.as_of)
    asked = with_activity(
        package,
        activity(package, (ids[0], at - 5, "view"), (ids[1], at - 3_600, "view"), (ids[2], at - 9, "remove")),
    )
    told = [reason_for(asked, row, personal=True, browsed=True) for row in range(3)]
    assert told == ["You looked at this just now", "You looked at this earlier", "You had this in your cart"]


def test_a_product_of_the_same_category_is_more_like_what_was_seen(package: ModelPackage) -> None:
    leaf, cosine = package.products.levels.leaf, package.matrix.together.cosine
    apart = [
        (seen, other)
        for seen in range(len(package.products))
        for other in np.flatnonzero(leaf == leaf[seen]).tolist()
        if other != seen and other not in cosine.rows(np.array([seen], dtype=np.int32))[0]
    ]
    seen, other = apart[0]
    asked = with_activity(package, activity(package, (package.products.ids[seen], float(package.as_of), "view")))
    expected = f"More like {package.products.titles[seen]}, which you looked at"
    assert reason_for(asked, other, personal=True, browsed=True) == expected
