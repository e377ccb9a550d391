# %% [markdown]
# # From an idea for a feature to its measured worth
#
# The idea here: some categories are bought at some times of the week. Does it help to know whether a candidate's
# category is usually bought at this hour and on this day? Put your own idea in its place: the cells after it stay.
# Nothing is written but pictures and findings, in `reports/notebooks/idea_to_measured_worth` of the work folder
# (`TILLWISE_HOME`).
#
# `NOTEBOOK_BASKETS` sets how many baskets each seed learns from, `NOTEBOOK_SEEDS` how many seeds there are.

# %%
import os
from dataclasses import replace
from functools import cache, partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from _notes import BLUE, COLOURS, GREY, ORANGE, Notes, short
from _pictures import intervals

from configs import SilentProgress, load_settings
from features.definitions import FEATURES, Feature, columns_of
from features.history import SEPARATOR, ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.dataset import build_examples, side_with_encoder
from training.evaluation.draws import held_back_draws
from training.evaluation.significance import ShopperBootstrap, sign_flip_p
from training.examples import Split
from training.gbm import fit_gbm

BASKETS = int(os.environ.get("NOTEBOOK_BASKETS", "1200"))
SEEDS = int(os.environ.get("NOTEBOOK_SEEDS", "2"))
settings = load_settings()
notes = Notes("idea_to_measured_worth", settings)
record, history, store = ingest_record(settings.work.data), load_history(settings.work.data), open_store(settings)
fold = cut_windows(history, record["timezone"], settings.windows).folds[-1]
notes.say(
    f"{record['title']}: everything is learned and judged on the {(fold.end - fold.start) / 86_400:.0f} days before "
    "the test window, which stays untouched."
)

# %% [markdown]
# ## 1. Is there anything in it? Look first.
#
# A table of how often each category is bought in each part of the week, from orders before the fold only: a feature
# must not know its own future. Few orders say little, so each part is pulled towards "no difference" by `PRIOR` orders.

# %%
PRIOR = 50.0
HOURS, PARTS = 4, 6
"""A day has 6 parts of 4 hours; weekdays are one kind of day, Saturday and Sunday are two."""
DAYS = np.array([0, 0, 0, 0, 0, 1, 2])


def part_of_week(moments):
    """Return int[moments], the part of the week of unix seconds, in the shop's own time."""
    local = pd.to_datetime(np.atleast_1d(moments), unit="s", utc=True).tz_convert(record["timezone"])
    return DAYS[local.dayofweek] * PARTS + local.hour.to_numpy() // HOURS


past, leaf = history.before(fold.start), history.catalogue.levels.leaf
bought = np.zeros((int(leaf.max()) + 1, 3 * PARTS))
np.add.at(bought, (leaf[past.product], part_of_week(past.at)[past.line_order]), 1)
usual = (bought.sum(axis=0) + 1) / (bought.sum() + bought.shape[1])  # never 0, though a shop may be closed
lift = (bought + PRIOR * usual) / (bought.sum(axis=1, keepdims=True) + PRIOR) / usual

leaf_name = np.array([path.split(SEPARATOR)[-1] for path in np.unique(history.catalogue.categories)])
frequent = np.argsort(-bought.sum(axis=1))[:150]
telling = frequent[np.argsort(-np.abs(np.log(lift[frequent])) @ usual)[:12]]
figure, axes = plt.subplots(figsize=(11, 5))
size = max(0.5, float(np.abs(np.log2(lift[telling][:, usual > 0.01])).max()))
shown = np.where(usual > 0.01, np.log2(lift[telling]), np.nan)
image = axes.imshow(
    shown, cmap=plt.get_cmap("PuOr_r").with_extremes(bad="#DDDDDD"), vmin=-size, vmax=size, aspect="auto"
)
axes.set_yticks(range(telling.size), [short(name, 30) for name in leaf_name[telling]])
hours = [f"{first}–{first + HOURS}" for first in range(0, 24, HOURS)]
axes.set_xticks(range(3 * PARTS), hours * 3, fontsize=8, rotation=60)
for day, name in enumerate(("Monday to Friday", "Saturday", "Sunday")):
    axes.text((day + 0.5) * PARTS - 0.5, -0.7, name, ha="center")
    axes.axvline(day * PARTS - 0.5, color="white", linewidth=3)
axes.set_xlabel("hour of the day (grey: under 1 % of all lines)")
axes.spines[:].set_visible(False)
bar = figure.colorbar(image, ax=axes, label="bought as often as usual ×")
bar.ax.yaxis.set_major_formatter(lambda power, _: f"{2**power:.2g}")
weight = bought.sum(axis=1)
typical = float(np.exp((np.abs(np.log(lift)) @ usual * weight).sum() / weight.sum()))
notes.say(
    f"There is something to see: {leaf_name[telling[0]]} depends on the time of week most among frequent categories. "
    f"But over all lines sold, a category typically stands only {typical - 1:.0%} off its usual share.",
    typical_lift=typical,
    most_telling=str(leaf_name[telling[0]]),
)
notes.keep(figure, "idea", f"Categories have their hours, but most lines stand only {typical - 1:.0%} off the usual")

# %% [markdown]
# ## 2. Say it as a feature
#
# The contract of `features/definitions/base.py`: columns with their meaning, what is read, and a pure function of
# (context, candidates). `PLACEBO` has as many columns and knows nothing at all: another column makes other trees, and
# other trees rank a little better or worse by luck. An idea has to beat that luck, too.


# %%
def _compute(context, candidates):
    part = int(part_of_week(context.now)[0])
    own = lift[leaf[candidates], part]
    in_cart = lift[leaf[context.cart], part].mean() if context.cart.size else 1.0
    return np.log(own), np.log(own / in_cart)


IDEA = Feature(
    columns={
        "week_lift": "log of how much more often the category is bought at this time of week than usual",
        "week_lift_to_cart": "the same less that of the cart's categories",
    },
    reads=frozenset({"cart", "products", "now"}),
    compute=_compute,
)
PLACEBO = Feature(
    columns={f"placebo_{name}": "a random number" for name in IDEA.columns},
    reads=frozenset({"now"}),
    compute=lambda context, rows: np.random.default_rng(int(context.now)).random((len(IDEA.columns), rows.size)),
)

# %% [markdown]
# ## 3. Train with and without, on the same draws
#
# Each seed holds back other shoppers and hides other products to learn from. All arms of a seed see the same rows; only
# their columns differ. The trees grow to a fixed number, so the shoppers they are judged on steer nothing. Taking away
# the feature with the largest gain shows whether this set-up would notice at all.

# %%
BASE = columns_of(FEATURES)
AS_IS, IDEAS, CHANCE, KNOWN = "as it is", "with the idea", "with a placebo", "without the strongest"
METRICS, k = ("ndcg", "hit_rate"), settings.evaluation.k
TRIED = (*FEATURES, IDEA, PLACEBO)
trees = min(100, settings.training.trees)
matrix_at = cache(partial(side_with_encoder, settings, store, history))


def fitted(training, split, columns):
    """Return trees that know only `columns`."""
    kept = [columns_of(TRIED).index(column) for column in columns]
    learn, held_back = (replace(part, features=part.features[:, kept]) for part in (split.learn, split.held_back))
    return fit_gbm(Split(learn, held_back), training, SilentProgress(), columns)[0]


def judged(booster, draws):
    """Return float64[draws, metrics] of trees, all that were grown."""
    kept = [draws.columns.index(column) for column in booster.feature_name()]
    scores = np.asarray(booster.predict(draws.features[:, kept], num_iteration=booster.current_iteration()))
    found = draws.accuracy(scores, k)
    return np.stack([found[metric] for metric in METRICS], axis=1)


result, shoppers, known = {}, [], None
for seed in range(SEEDS):
    training = settings.training.model_copy(
        update={"seed": seed, "max_baskets": BASKETS, "trees": trees, "early_stopping_rounds": trees}
    )
    ours = settings.model_copy(update={"training": training})
    split = build_examples(
        ours, store, history, [fold], sides=[matrix_at(fold.start)], progress=lambda _: None, features=TRIED
    )
    draws = held_back_draws(ours, store, history, fold, matrix_at(fold.start), limit=BASKETS // 2, features=TRIED)
    shoppers.append(draws.shopper)
    plain = fitted(training, split, BASE)
    if known is None:
        gain = dict(zip(BASE, plain.feature_importance("gain"), strict=True))
        known = max(FEATURES, key=lambda feature: sum(gain[column] for column in feature.columns))
    arms = {
        IDEAS: (*BASE, *IDEA.columns),
        CHANCE: (*BASE, *PLACEBO.columns),
        KNOWN: tuple(column for column in BASE if column not in known.columns),
    }
    result.setdefault(AS_IS, []).append(judged(plain, draws))
    for arm, columns in arms.items():
        result.setdefault(arm, []).append(judged(fitted(training, split, columns), draws))
    print(
        f"seed {seed}, NDCG@{k}:", {arm: round(float(of_seed[-1][:, 0].mean()), 4) for arm, of_seed in result.items()}
    )

# %% [markdown]
# ## 4. Read the difference
#
# Paired: each draw is judged with and without, and only the difference counts. Intervals and p-values treat a shopper's
# draws, over all seeds, as one (`training/evaluation/significance.py`).

# %%
who, name_of_known = np.concatenate(shoppers), known.compute.__module__.rpartition(".")[2]


def difference(arm, other, seeds=slice(None)):
    """Return each metric's mean difference between two arms with its interval, and its p-value."""
    of = np.concatenate(shoppers[seeds])
    values = np.concatenate(result[arm][seeds]) - np.concatenate(result[other][seeds])
    resamples = ShopperBootstrap(of, settings.evaluation.bootstrap_samples, settings.windows.seed)
    return resamples.ratios(values, np.ones_like(values)), sign_flip_p(values, of, settings.windows.seed)


PAIRS = {
    "idea, against the ranker as it is": (IDEAS, AS_IS),
    "idea, against the placebo": (IDEAS, CHANCE),
    "placebo, against the ranker as it is": (CHANCE, AS_IS),
    f"ranker without '{name_of_known}'": (KNOWN, AS_IS),
}
found = {name: difference(*pair) for name, pair in PAIRS.items()}
worth, beyond, chance, less = (estimates[0] for estimates, _ in found.values())
base = float(np.concatenate(result[AS_IS])[:, 0].mean())
if min(worth.low, beyond.low) > 0:
    verdict = "Worth it: it beats the ranker as it is and a placebo"
elif worth.high < 0:
    verdict = "Not worth it: it makes the ranking worse"
else:
    verdict = "Not shown to be worth it"
target = 0.02 * base
needed = int(np.ceil(who.size * ((beyond.high - beyond.low) / 2 / target) ** 2))


def told(mean):
    """Return a difference and its interval in words."""
    return f"{mean.value:+.4f} (95 % interval {mean.low:+.4f} to {mean.high:+.4f})"


notes.say(
    f"{verdict}. The idea changes NDCG@{k} by {told(worth)} from {base:.4f}, and by {told(beyond)} against a placebo, "
    f"over {who.size:,} draws of {np.unique(who).size:,} shoppers and {SEEDS} seeds.",
    verdict=verdict,
    base=base,
    draws=who.size,
    differences={
        name: {metric: {**vars(estimates[n]), "p": float(p[n])} for n, metric in enumerate(METRICS)}
        for name, (estimates, p) in found.items()
    },
)
notes.say(
    f"For scale: a placebo changes it by {told(chance)}, and taking '{name_of_known}' away by {told(less)}, which this "
    f"set-up {'notices' if less.high < 0 else 'does not notice'}. To tell a gain of 2 % ({target:.4f}) from none takes "
    f"about {needed:,} draws: raise NOTEBOOK_BASKETS and NOTEBOOK_SEEDS.",
    needed_draws=needed,
    known=name_of_known,
)

# %%
rows = {name: estimates for name, (estimates, _) in found.items()}
first, *others = rows.items()
of_seeds = {f"   seed {seed} alone": difference(IDEAS, AS_IS, slice(seed, seed + 1))[0] for seed in range(SEEDS)}
rows = dict([first, *of_seeds.items(), *others])
colours = [BLUE, *[COLOURS[5]] * SEEDS, BLUE, GREY, ORANGE]
figure, panels = plt.subplots(1, 2, figsize=(11, 2 + 0.42 * len(rows)), sharey=True)
for metric, (axes, name) in enumerate(zip(panels, (f"NDCG@{k}", f"hit rate at {k}"), strict=True)):
    for place, (estimates, colour) in enumerate(zip(rows.values(), colours, strict=True)):
        intervals(axes, [estimates[metric]], places=np.array([-place]), colour=colour, marker="o", label="")
    axes.set_xlabel(f"change in {name} (95 % interval over shoppers)")
    axes.locator_params(axis="x", nbins=6)
panels[0].set_yticks(-np.arange(len(rows)), list(rows))
notes.keep(figure, "worth", f"{verdict}: NDCG@{k} {worth.value:+.4f}, placebo {chance.value:+.4f} ({who.size:,} draws)")
print("Pictures:", notes.folder)

# %% [markdown]
# ## 5. Ship it, if it is worth it
#
# 1. Move `IDEA` into a file of its own in `features/definitions/`, as `FEATURE`, and name it in `FEATURES` of
#    `features/definitions/__init__.py`. What is state and not computation moves to where state is kept: a table like
#    `lift` becomes a part of `features.context.ProductMatrix`, built as of each fold's start and saved in a package;
#    what a shopper does becomes a field of `features.shopper.ShopperState`.
# 2. `pytest tests/features`: every column needs a name of its own and a meaning, no infinite values, no dependence on
#    the other candidates and no knowledge of the future, whatever the history (hypothesis looks for counter-examples).
# 3. `tillwise train` makes the package anew; `tillwise evaluate` judges the whole model once on the test window, and
#    `tillwise promote` compares it with what serves.
# 4. `python -m benchmarks.rankers` tells what the feature costs a request.
