"""The model card: what a model is, what it was made from, how good it is and where it is not, generated from its run.

Form: Mitchell et al. 2019, "Model Cards for Model Reporting" (FAccT). Every figure is read from `evaluation.json` or
the package's manifest; the words around them are the same for every model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from configs import Settings
from configs.moments import moment
from features.definitions import FEATURES
from training.evaluation.significance import FLIPS

VARIANTS = {"loo": "one product of each basket hidden", "hide30": "30 % of each basket hidden"}
METRICS = {
    "hit_rate": "hit rate",
    "recall": "recall",
    "ndcg": "NDCG",
    "mrr": "MRR",
    "value_weighted": "value-weighted hit rate",
    "coverage": "catalogue coverage",
    "novelty": "novelty, bits",
    "diversity": "diversity",
    "price_shown": "mean price shown",
}
SHARES = {"coverage": ".2%"}
"""Metrics that read better in another form than three decimals."""

GROUPINGS = {
    "repeat": "hidden product, to the shopper",
    "repeat_at_cutoff": "the same as of the model's cutoff",
    "cart_size": "products in the cart",
    "history_length": "orders before",
    "segment": "segment of the shopper",
    "category": "top-level category of the hidden product",
    "channel": "channel",
    "product": "hidden product, to the model",
    "shopper": "shopper, to the model",
}
HEADS = {
    "blend": "LightGBM LambdaRank and a neural network, blended",
    "gbm": "LightGBM LambdaRank alone",
    "neural": "a neural network alone",
    "student": "a small network distilled from the blend of LightGBM LambdaRank and a neural network",
    "student_int8": "a small network distilled from the blend of LightGBM LambdaRank and a neural network, in int8",
}
USE = """\
Ranking add-on products for a shopper who is about to pay, given the live cart and earlier orders. It is not meant for
setting prices, for judging shoppers, or for products that need advice (medicines, age-restricted goods) without rules
in front of it."""
LIMITS = """\
- A product that nobody had bought when the model was made is known by its category and brand only. It is among the
  candidates, but seldom among the best of them: see its line under "hidden product, to the model".
- A hidden product of a real basket stands for "what the shopper would have taken". Whether a recommendation changes
  what is bought is not measured by it: that needs an experiment.
- The order in which products entered the cart is unknown in the data: the visible part of a basket is a random part.
- Nobody was shown these lists, so nothing here speaks of clicks, fatigue or position.
- Intervals tell of other shoppers in the same weeks, not of other weeks.
- Product statistics are as of the cutoff, and age until the next model."""

AUDIT = """\
Quality is that of the model's list where one product is hidden; its ratio is to all cases whose group is known.
Exposure of shoppers: places of their lists that are filled, over everybody's; of products: their share of the places
shown over their share of what was taken. 95 % intervals by bootstrap over shoppers. A group falls short (bold) if it
lies below its limit and chance makes that no more often than {alpha:g} (after Holm, over {judgements} judgements); the
settings `evaluation.audit` hold the limits, `configs/audit.py` their reasons. What is known of shoppers is read for
this audit only: no model sees it."""


def model_card(evaluation: Mapping[str, Any], manifest: Mapping[str, Any], settings: Settings) -> str:
    """Return the card of an evaluated package as Markdown.

    Args:
        evaluation: content of `evaluation.json`. manifest: of the package it judges.
        settings: that the package was trained and evaluated with.
    """
    sections = {
        f"Model {manifest['version']}": _identity(evaluation, manifest),
        "Intended use": [USE, *_scores(evaluation["variants"]["loo"]["calibration"])],
        "What it was trained on": _training(manifest, settings),
        "Candidates": _candidates(evaluation["variants"]),
        "How good it is": _quality(evaluation),
        "Against the other arms": _paired(evaluation),
        "Where it is better and worse": _slices(evaluation),
        "Who is served how well, and what is shown": _audit(evaluation["audit"]),
        "Limits and known gaps": [LIMITS],
        "Features": _features(),
    }
    parts = [
        f"{'#' * (1 if place == 0 else 2)} {title}\n\n" + "\n\n".join(body)
        for place, (title, body) in enumerate(sections.items())
    ]
    return "\n\n".join(parts) + "\n"


def _identity(evaluation: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    rows = [
        ("kind", f"{HEADS[manifest['ranking']['head']]}, over generated candidates"),
        ("knows orders before", moment(manifest["as_of"])),
        ("data", f"`{manifest['data'][:16]}`"),
        ("code", f"`{evaluation['code']}`"),
        (
            "evaluated",
            f"{evaluation['at']}, on orders from {evaluation['window']['start']} to {evaluation['window']['end']}",
        ),
        ("looks at the test window", f"{evaluation['evaluated']} with this model so far"),
    ]
    return [_table(("", ""), rows)]


def _scores(calibration: Mapping[str, Any]) -> Iterator[str]:
    if "model" not in calibration:
        yield "Scores order the products of one answer; they are no probabilities and do not compare across answers."
    for arm, found in calibration.items():
        yield (
            f"{_plain(arm)}: the probabilities of {found['pairs']:,} products shown are off by {found['ece']:.4f} on "
            "average (expected calibration error, see plots/reliability.png)."
        )


def _training(manifest: Mapping[str, Any], settings: Settings) -> list[str]:
    windows, training = settings.windows, settings.training
    days = windows.folds * windows.target_days
    text = (
        f"Baskets of at least {windows.min_basket_products} products from at most {days} days before the cutoff, in "
        f"up to {windows.folds} folds of {windows.target_days} days, at most {training.max_baskets:,} of them. Of "
        f"each, once {training.hidden_share:.0%} was hidden and {training.single_draws} times a single product; the "
        f"hidden candidates are the positive examples, {training.negatives_share:.0%} of the others the negative "
        "ones. Shopper states are those just before each basket, product statistics those at the start of its "
        "fold, and so is the encoder, which had seen only the baskets before it. "
        f"{training.validation_share:.0%} of the shoppers only steered when training stopped, how the two models' "
        "scores add up, and what probability a score means. The "
        f"{windows.test_days} days after the cutoff were not used."
    )
    limits = ", ".join(f"{name} {limit}" for name, limit in manifest["candidates"].items())
    chosen = manifest["ranking"]["head"]
    head = manifest["heads"][chosen]
    weights = ", ".join(f"{name} {value:.3g}" for name, value in [*head["weights"].items(), ("new", head["new"])])
    ranking = (
        f"The head that serves is `{chosen}`: {HEADS[chosen]}. The list is ranked by its log-odds (weights: "
        f"{weights}), plus {manifest['ranking']['discovery']:g} for a product that is new to the shopper."
    )
    return [text, ranking, f"Most candidates by generator: {limits}."]


def _candidates(variants: Mapping[str, Any]) -> list[str]:
    rows: list[Sequence[str]] = []
    for variant, result in variants.items():
        found = result["candidates"]
        rows.append(
            (VARIANTS.get(variant, variant), "all together", f"{found['mean']:.0f}", _share(found["recall"]), "")
        )
        rows += [
            ("", _plain(name), f"{one['mean']:.0f}", _share(one["recall"]), _share(one["only"]))
            for name, one in found["by_generator"].items()
        ]
    head = ("", "generator", "mean size", "hidden products found", "by it alone")
    return [
        "What is no candidate cannot be recommended: the first line of each block is the ceiling.",
        _table(head, rows),
    ]


def _quality(evaluation: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"Lists of {evaluation['k']}, the whole catalogue, all hidden products counted; 95 % intervals by bootstrap "
        "over shoppers."
    )
    for variant, result in evaluation["variants"].items():
        arms = result["arms"]
        rows = [
            (name, *(_figure(figures[metric], SHARES.get(metric, ".3f")) for figures in arms.values()))
            for metric, name in METRICS.items()
            if all(metric in figures for figures in arms.values())
        ]
        title = f"{VARIANTS.get(variant, variant)}: {result['cases']:,} baskets of {result['shoppers']:,} shoppers"
        yield f"**{title[0].upper()}{title[1:]}**\n\n" + _table(("", *map(_plain, arms)), rows)
    yield "![hit rate by arm](plots/hit_rate_by_arm.png)"


def _paired(evaluation: Mapping[str, Any]) -> list[str]:
    rows = [
        (VARIANTS.get(variant, variant), _plain(arm), METRICS.get(metric, metric), *_lead(found))
        for variant, result in evaluation["variants"].items()
        for arm, metrics in result["paired"].items()
        for metric, found in metrics.items()
    ]
    text = (
        f"The model less each other arm on the same baskets; p by {FLIPS:,} sign flips over shoppers, adjusted after "
        "Holm."
    )
    return [text, _table(("", "arm", "metric", "difference", "relative", "p"), rows)]


def _slices(evaluation: Mapping[str, Any]) -> Iterator[str]:
    result = evaluation["variants"]["loo"]
    yield f"Hit rate at {evaluation['k']}, one product hidden. Few cases make wide intervals: read those with care."
    for name, groups in result["slices"].items():
        rows = [
            (label, f"{group['cases']:,}", *(_figure(figure) for figure in group["hit_rate"].values()))
            for label, group in groups.items()
        ]
        yield _table((GROUPINGS.get(name, name), "cases", *map(_plain, result["arms"])), rows)


def _audit(audit: Mapping[str, Any]) -> Iterator[str]:
    yield AUDIT.format(alpha=audit["policy"]["alpha"], judgements=audit["judgements"])
    yield "**Passed.** No group falls short of a limit." if audit["passed"] else "**Not passed.**"
    if said := [*audit["findings"], *audit["notes"]]:
        yield "\n".join(f"- {sentence}" for sentence in said)
    for name, grouping in audit["groups"].items():
        rows = [
            (
                label,
                f"{group['cases']:,}",
                f"{group['shoppers']:,}",
                *(_figure(group[measure]) for measure in ("hit_rate", "ndcg")),
                *(_of_reference(group[measure]) for measure in ("hit_rate", "ndcg", "exposure")),
            )
            for label, group in grouping["by_group"].items()
        ]
        head = ("cases", "shoppers", "hit rate", "NDCG", "hit rate, ratio", "NDCG, ratio", "exposure, ratio")
        yield _table((f"{grouping['of']}: {_plain(name)}", *head), rows)
    yield "![audit](plots/audit.png)"


def _of_reference(figure: Mapping[str, Any]) -> str:
    text = _figure({"value": figure["ratio"], "ci95": figure["ratio_ci95"]}, ".2f")
    return f"**{text}**" if figure["short"] else text


def _features() -> list[str]:
    rows = [
        (f"`{column}`", meaning, ", ".join(sorted(feature.reads)))
        for feature in FEATURES
        for column, meaning in feature.columns.items()
    ]
    return [_table(("column", "meaning", "reads"), rows)]


def _lead(found: Mapping[str, Any]) -> tuple[str, str, str]:
    difference = _figure({"value": found["difference"], "ci95": found["ci95"]}, "+.3f")
    relative = _figure({"value": found["relative"], "ci95": found["relative_ci95"]}, "+.0%")
    return difference, relative, f"{found['p_holm']:.4f}"


def _figure(figure: Mapping[str, Any], form: str = ".3f") -> str:
    if figure["value"] is None:
        return "–"
    text = format(figure["value"], form)
    bounds = figure.get("ci95")
    if bounds is None or None in bounds:
        return text
    return f"{text} [{bounds[0]:{form}}, {bounds[1]:{form}}]"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def _share(value: float) -> str:
    return f"{value:.1%}"


def _plain(name: str) -> str:
    return name.replace("_", " ")
