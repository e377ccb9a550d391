# %% [markdown]
# # What did the models learn, and where do they fail?
#
# Reads the model package in the work folder (`TILLWISE_HOME`) on baskets of shoppers that it did not learn from, with
# one product hidden in each. The baskets lie in the last training fold, not in the test window: whoever gets an idea
# here can still measure it there. Pictures and findings land in `reports/notebooks/read_the_models`.
# `NOTEBOOK_BASKETS` sets how many baskets are read.

# %%
import os

import lightgbm as lgb
import matplotlib.pyplot as plt
import numpy as np
from _notes import BLUE, COLOURS, ORANGE, Notes, short
from _pictures import intervals, kinds, ordinal, promises, shares, spoken, swarm, waterfall
from matplotlib.ticker import PercentFormatter
from rich.console import Console
from rich.table import Table

from configs import load_settings
from configs.home import read_json
from features.definitions import COLUMNS, FEATURES
from features.history import SEPARATOR, ingest_record, load_history
from features.store import open_store
from features.windows import cut_windows
from training.dataset import side_with_encoder
from training.evaluation.calibration import calibration
from training.evaluation.draws import held_back_draws
from training.evaluation.significance import ShopperBootstrap
from training.gbm import importance
from training.package import ModelPackage
from training.reasons import reason_for
from training.recommender import Recommender

BASKETS = int(os.environ.get("NOTEBOOK_BASKETS", "400"))
package = ModelPackage.load(load_settings().work.model)
made_with = {"features": package.matrix.features.model_dump(), "candidates": package.candidates.model_dump()}
settings = load_settings(**made_with)
notes = Notes("read_the_models", settings)
history, store, k = load_history(settings.work.data), open_store(settings), settings.evaluation.k
windows = cut_windows(history, ingest_record(settings.work.data)["timezone"], settings.windows)
if windows.as_of != package.as_of:
    notes.say(
        "Beware: the settings cut the data at another moment than the package's, which may have seen these baskets."
    )
fold = windows.folds[-1]
# The package's encoder has seen these baskets: one is fitted that has not.
draws = held_back_draws(
    settings, store, history, fold, side_with_encoder(settings, store, history, fold.start), limit=BASKETS
)
titles = [" ".join(title.split()) for title in package.products.titles]
rng = np.random.default_rng(settings.training.seed)
meaning = {column: text for feature in FEATURES for column, text in feature.columns.items()}
group_of = {column: feature.compute.__module__.rpartition(".")[2] for feature in FEATURES for column in feature.columns}


def words(column, width=56):
    """Return a column's name and, below it, what it means, short enough to stand beside an axis."""
    return f"{column}\n{short(meaning[column].partition(';')[0], width)}"


# %% [markdown]
# ## How good are they here?
#
# Every way to rank orders the same candidates; a hidden product that is no candidate counts as a miss.

# %%
recommender = Recommender(package)


def scores_of(arm):
    """Return float64[rows], the scores of one arm in the order of the draws' candidates."""
    found = []
    for context in draws.contexts:
        rows, scores = recommender.rank(context, len(titles), arm)
        found.append(scores[np.argsort(rows)])
    return np.concatenate(found)


model = scores_of("model")
booster = lgb.Booster(model_str=package.gbm)
SCORERS = {
    "trees": lambda features: np.asarray(booster.predict(features), dtype=np.float64),
    "network": package.neural.score,
}
base = {name: score(draws.features) for name, score in SCORERS.items()}
quality = {name: draws.accuracy(scores, k) for name, scores in (base | {"blended": model}).items()}
notes.say(
    f"On {len(draws):,} baskets of {np.unique(draws.shopper).size:,} held-back shoppers, with one product hidden, "
    + ", ".join(
        f"{name}: NDCG@{k} {found['ndcg'].mean():.3f} and hit rate {found['hit_rate'].mean():.3f}"
        for name, found in quality.items()
    )
    + ".",
    draws=len(draws),
    k=k,
    quality={name: {metric: float(v.mean()) for metric, v in found.items()} for name, found in quality.items()},
)

# %% [markdown]
# ## What the trees look at: gain
#
# How much each column's splits lowered the loss in training. It favours columns with many values and says nothing of
# direction; SHAP and the ablation below do.

# %%
gain = importance(booster)
of_group = {name: sum(gain[c] for c in COLUMNS if group_of[c] == name) for name in dict.fromkeys(group_of.values())}
of_group = dict(sorted(of_group.items(), key=lambda item: item[1]))
top = list(gain)[:15][::-1]
figure, (left, right) = plt.subplots(1, 2, figsize=(12, 7.5), width_ratios=(1.2, 1))
left.barh(range(len(top)), [gain[column] for column in top], color=BLUE)
left.set_yticks(range(len(top)), [words(column) for column in top], fontsize=8)
right.barh(range(len(of_group)), list(of_group.values()), color=BLUE)
right.set_yticks(range(len(of_group)), list(of_group))
for axes, title in ((left, "the strongest columns"), (right, "by file in features/definitions")):
    axes.set(xlabel="share of the total gain", title=title)
    axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
first = list(of_group)[-1]
notes.say(
    f"{of_group[first]:.0%} of the trees' gain comes from '{first}'; the strongest column is {top[-1]} "
    f"({meaning[top[-1]]}), with {gain[top[-1]]:.0%}.",
    gain_by_group=of_group,
)
notes.keep(figure, "gain", f"'{first}' makes {of_group[first]:.0%} of the trees' gain")

# %% [markdown]
# ## Which way it pushes: SHAP
#
# TreeSHAP (Lundberg et al. 2020, Nature Machine Intelligence) shares a score out among the columns. Only differences
# between candidates of one request change a list, so each contribution is taken relative to its request's mean: columns
# of the cart or shopper alone count only where they bend what others say.

# %%
EACH, REQUESTS = 30, min(100, len(draws))
"""Candidates of a request, and requests: enough to see the pattern within seconds."""
picked = []
for number in range(REQUESTS):
    rows = draws.rows(number)
    chosen = rows.start + rng.permutation(rows.stop - rows.start)[:EACH]
    picked.append(np.unique(np.concatenate([chosen, rows.start + np.flatnonzero(draws.label[rows])])))
request = np.repeat(np.arange(len(picked)), [rows.size for rows in picked])
picked = np.concatenate(picked)


def shap_of(features):
    """Return float64[rows, columns], without the last entry: the mean score of the training rows."""
    return np.asarray(booster.predict(features, pred_contrib=True))[:, :-1]


push = shap_of(draws.features[picked])
size = np.maximum(np.bincount(request), 1)
for column in range(push.shape[1]):
    push[:, column] -= (np.bincount(request, push[:, column]) / size)[request]
strength = np.abs(push).mean(axis=0)
order = np.argsort(strength)[-14:]


figure, axes = plt.subplots(figsize=(11, 7.6))
for place, column in enumerate(order):
    dots = swarm(axes, push[:, column], draws.features[picked, column], place, rng)
axes.axvline(0, color="black", linewidth=1)
axes.set_yticks(range(order.size), [words(COLUMNS[column]) for column in order], fontsize=8)
axes.set_xlabel("push on the trees' score, relative to the request's other candidates (SHAP)")
bar = figure.colorbar(dots, ax=axes, ticks=[0, 0.5, 1], label="the column's value (grey: unknown)", aspect=40)
bar.ax.set_yticklabels(["low", "middle", "high"])
strongest = COLUMNS[order[-1]]
known = ~np.isnan(draws.features[picked, order[-1]])
value, x = draws.features[picked, order[-1]][known], push[known, order[-1]]
direction = "up" if x[value >= np.median(value)].mean() >= x[value <= np.median(value)].mean() else "down"
notes.say(
    f"Within a request, {strongest} ({meaning[strongest]}) moves candidates most, by {strength[order[-1]]:.2f} on "
    f"average; high values push {direction}.",
    shap_strongest=[COLUMNS[column] for column in order[::-1]],
)
notes.keep(figure, "shap_summary", f"{strongest} moves candidates most: high values push {direction}")

# %% [markdown]
# ## One recommendation in words
#
# A product that the trees put first and that really was in the basket, new to the shopper if there is such a one.

# %%
by_trees = draws.place(base["trees"])
known_before = np.array(
    [
        bool(context.shopper.products.find(package.products.keys[[row]])[1][0])
        for context, row in zip(draws.contexts, draws.hidden.tolist(), strict=True)
    ]
)
reached = np.flatnonzero(by_trees >= 0)
example = int(reached[np.lexsort((known_before[reached], by_trees[reached]))[0]])
rows, context, product = draws.rows(example), draws.contexts[example], int(draws.hidden[example])
mine = int(np.flatnonzero(draws.label[rows])[0])
features, contributions = draws.features[rows], shap_of(draws.features[rows])
relative = contributions[mine] - contributions.mean(axis=0)
most = np.argsort(-np.abs(relative))[:9]


def typical(column):
    """Return the median of a column over the request's candidates where known."""
    known = features[~np.isnan(features[:, column]), column]
    return float(np.median(known)) if known.size else float("nan")


rest = float(relative.sum() - relative[most].sum())
steps = [("all other columns", rest)]
for column in most[::-1]:
    values = f"{spoken(features[mine, column])} (usual candidate: {spoken(typical(column))})"
    name, _, text = words(COLUMNS[column], 64).partition("\n")
    steps.append((f"{name} = {values}\n{text}", float(relative[column])))
figure, axes = plt.subplots(figsize=(11, 7))
waterfall(axes, steps)
axes.set_xlabel(f"the trees' score above the mean of this request's {rows.stop - rows.start} candidates")
in_cart = [titles[row] for row in context.cart[:3]]
more = f" and {context.cart.size - 3} more" if context.cart.size > 3 else ""
status = "bought before" if known_before[example] else "new to the shopper"
notes.say(
    f"{titles[product]} ({status}) stands {ordinal(by_trees[example] + 1)} of {rows.stop - rows.start} for a cart of "
    f"{', '.join(in_cart)}{more}. The shopper reads: '{reason_for(context, product, personal=True)}'. What raises it "
    f"most is {COLUMNS[most[0]]}: {meaning[COLUMNS[most[0]]]}, here {spoken(features[mine, most[0]])} against "
    f"{spoken(typical(most[0]))} for the usual candidate.",
    example_score_above_mean=float(base["trees"][rows][mine] - base["trees"][rows].mean()),
    example_contributions={name.partition(" = ")[0]: step for name, step in steps},
)
title = f"Why {titles[product]} comes {ordinal(by_trees[example] + 1)} for a cart of {', '.join(in_cart)}{more}"
notes.keep(figure, "one_recommendation", title)

# %% [markdown]
# ## What would be lost: ablation by group
#
# The columns of one feature file are shuffled among the candidates of the same request, and the ranking is judged again
# (`Draws.shuffled`). Groups overlap in what they know, so a small loss means that others can stand in, not that the
# group is empty.

# %%
resamples = ShopperBootstrap(draws.shopper, settings.evaluation.bootstrap_samples, settings.windows.seed)
METRICS = ("ndcg", "hit_rate")
groups, change = list(dict.fromkeys(group_of.values())), {}
for group in groups:
    ablated = draws.shuffled([column for column in COLUMNS if group_of[column] == group], rng)
    for ranker, score in SCORERS.items():
        found = draws.accuracy(score(ablated), k)
        differences = np.stack([found[metric] - quality[ranker][metric] for metric in METRICS], axis=1)
        change[group, ranker] = resamples.ratios(differences, np.ones_like(differences))
groups.sort(key=lambda group: -sum(change[group, ranker].value[0] for ranker in SCORERS))
figure, panels = plt.subplots(1, 2, figsize=(11, 5), sharey=True)
for metric, (axes, name) in enumerate(zip(panels, (f"NDCG@{k}", f"hit rate at {k}"), strict=True)):
    for ranker, colour, marker, shift in (("trees", BLUE, "o", 0.13), ("network", ORANGE, "s", -0.13)):
        found = [change[group, ranker][metric] for group in groups]
        places = np.arange(len(groups)) + shift
        intervals(axes, found, places=places, colour=colour, marker=marker, label=ranker)
    axes.set(xlabel=f"change in {name} (95 % interval over shoppers)")
panels[0].set_yticks(range(len(groups)), groups)
figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
worst = {ranker: min(groups, key=lambda group: change[group, ranker].value[0]) for ranker in SCORERS}
lost = {ranker: -change[group, ranker].value[0] / quality[ranker]["ndcg"].mean() for ranker, group in worst.items()}
notes.say(
    f"Shuffled within a request, the group that costs most NDCG@{k} is "
    + " and ".join(f"'{group}' for the {ranker} ({lost[ranker]:.0%} lost)" for ranker, group in worst.items())
    + ".",
    ablation={
        ranker: {
            group: {metric: vars(change[group, ranker][n]) for n, metric in enumerate(METRICS)} for group in groups
        }
        for ranker in SCORERS
    },
)
named = " and ".join(f"'{group}'" for group in dict.fromkeys(worst.values()))
notes.keep(figure, "ablation", f"Shuffled among candidates, {named} is missed most by {' and '.join(worst)}")

# %% [markdown]
# ## Do probabilities mean what they say?
#
# The products shown, by the probability that the blend gave them. The blend was fitted on shoppers like these, so the
# curve from the test window (`evaluation.json`), where there is one, is the stricter judge.

# %%
said, taken = np.full((len(draws), k), np.nan), np.zeros((len(draws), k), dtype=bool)
for number, context in enumerate(draws.contexts):
    rows_shown, _ = recommender.rank(context, k, "model")
    said[number, : rows_shown.size] = recommender.probability(context, rows_shown)
    taken[number, : rows_shown.size] = rows_shown == draws.hidden[number]
here = calibration(said, taken, bins=8)
judged = (read_json(settings.work.reports / "evaluation.json") or {}).get("variants", {}).get("loo", {})
curves = {f"held-back shoppers ({here.pairs:,} shown)": (here.predicted, here.observed)}
if on_test := judged.get("calibration", {}).get("model"):
    points = np.array([(point["predicted"], point["observed"]) for point in on_test["curve"]]).T
    curves[f"test window ({on_test['pairs']:,} shown)"] = tuple(points)
figure, axes = plt.subplots(figsize=(7, 6))
promises(axes, here, curves)
promised, really = float(np.nanmean(said)), float(taken.sum() / here.pairs)
notes.say(
    f"Shown products were promised {promised:.1%} on average and {really:.1%} were taken; the mean distance from the "
    f"promise is {here.error:.2%} (expected calibration error).",
    calibration_error=here.error,
    promised=promised,
    taken=really,
)
notes.keep(figure, "calibration", f"Promised {promised:.1%}, taken {really:.1%} of what is shown")

# %% [markdown]
# ## Why is the hidden product missed?

# %%
place = draws.place(model)
never = draws.contexts[0].products.stats.orders[draws.hidden] == 0
KINDS = (f"in the list of {k}", f"ranked {k + 1} to {3 * k}", "ranked lower", "no candidate", "never sold before")
kind = np.select([(place >= 0) & (place < k), (place >= k) & (place < 3 * k), place >= 0, ~never], [0, 1, 2, 3], 4)
parts = {"all": np.ones(len(draws), dtype=bool), "bought before": known_before, "new to the shopper": ~known_before}
parts = {name: chosen for name, chosen in parts.items() if chosen.any()}
outcome = {name: np.bincount(kind[chosen], minlength=len(KINDS)) / chosen.sum() for name, chosen in parts.items()}
figure, axes = plt.subplots(figsize=(11, 3.6))
labels = {f"{name}\n({int(chosen.sum()):,} baskets)": outcome[name] for name, chosen in parts.items()}
shares(axes, labels, KINDS)
axes.set_xlabel("share of hidden products")
axes.xaxis.set_major_formatter(PercentFormatter(1, 0))
figure.legend(loc="outside lower center", ncols=len(KINDS))
missed = 1 - outcome["all"][0]
unreached = float(outcome["all"][3:].sum() / missed) if missed else 0.0
notes.say(
    f"{missed:.0%} of hidden products are not in the list of {k}; {unreached:.0%} of these are no candidate at all, "
    "which no ranking can mend: there, better candidates help; for the rest, better scores.",
    outcome={name: dict(zip(KINDS, share.tolist(), strict=True)) for name, share in outcome.items()},
)
notes.keep(
    figure, "why_missed", f"{missed:.0%} are missed; for {unreached:.0%} of the misses the product is no candidate"
)

# %%
table = Table("hidden product", "cart", f"shown first (of {k})", "why it was missed", show_lines=True, width=150)
for number in range(1, len(KINDS)):
    for case in rng.permutation(np.flatnonzero(kind == number))[:2].tolist():
        context, hidden = draws.contexts[case], int(draws.hidden[case])
        shown, _ = recommender.rank(context, 3, "model")
        why = (
            f"{ordinal(int(place[case]) + 1)} of {draws.group[case]} candidates" if place[case] >= 0 else KINDS[number]
        )
        more = f" (+{context.cart.size - 5})" if context.cart.size > 5 else ""
        whose = "bought before" if known_before[case] else "new to the shopper"
        table.add_row(
            f"{titles[hidden]}\n({whose})",
            ", ".join(titles[row] for row in context.cart[:5]) + more,
            ", ".join(titles[row] for row in shown),
            why,
        )
Console(width=150).print(table)

# %% [markdown]
# ## Which products does the model take for alike?
#
# Item vectors (`features/item_vectors.py`) point the same way for products that end up in the same baskets. The map is
# their two main directions (principal components, by singular value decomposition); neighbours are found in all
# dimensions.

# %%
matrix, levels = package.matrix, package.products.levels
popular = matrix.by_popularity[:1_500]
popular = popular[np.linalg.norm(matrix.together.vectors[popular], axis=1) > 0]
vectors = np.asarray(matrix.together.vectors[popular], dtype=np.float64)
centred = vectors - vectors.mean(axis=0)
left_vectors, strengths, _ = np.linalg.svd(centred, full_matrices=False)
spot = left_vectors[:, :2] * strengths[:2]
explained = float((strengths[:2] ** 2).sum() / (strengths**2).sum())
department = levels.department[popular]
names = np.unique([path.split(SEPARATOR)[0] for path in package.products.categories])
largest = np.argsort(-np.bincount(department, minlength=names.size))[: len(COLOURS) - 1]
likeness = vectors @ vectors.T
np.fill_diagonal(likeness, -np.inf)
nearest = np.argsort(-likeness, axis=1)[:, :4]
same = float((department[nearest[:, 0]] == department).mean())
chance = float(((np.bincount(department) / department.size) ** 2).sum())

figure, axes = plt.subplots(figsize=(11.5, 6.6))
kinds(axes, spot, department, {int(one): str(names[one]) for one in largest})
anchors = [int(np.flatnonzero(department == one)[0]) for one in largest[:5] if (department == one).any()]
for number, anchor in enumerate(anchors, 1):
    badge = {"boxstyle": "circle,pad=0.25", "fc": "white", "ec": "black"}
    name, near = (short(titles[popular[one]], 30) for one in (anchor, nearest[anchor, 0]))
    axes.text(*spot[anchor], str(number), fontsize=9, fontweight="bold", ha="center", va="center", bbox=badge)
    axes.plot([], [], " ", label=f"\n{number} {name}\n   nearest: {near}")
axes.set(xlabel="first principal component", ylabel="second principal component")
figure.legend(loc="outside right upper", markerscale=1.6, fontsize=9)
for anchor in anchors:
    alike = ", ".join(f"{titles[popular[other]]} ({likeness[anchor, other]:.2f})" for other in nearest[anchor])
    print(f"Near {titles[popular[anchor]]}: {alike}")
notes.say(
    f"Of the {popular.size:,} most popular products, {same:.0%} have their nearest neighbour in the same department "
    f"({chance:.0%} by chance), though vectors learn from baskets and lean on the category only where orders are few. "
    f"The two directions of the map hold {explained:.0%} of the differences: trust the neighbours in words more.",
    nearest_in_department=same,
    by_chance=chance,
    explained=explained,
)
notes.keep(
    figure, "item_map", f"{same:.0%} have their nearest neighbour in their own department ({chance:.0%} by chance)"
)
print("Pictures:", notes.folder)
