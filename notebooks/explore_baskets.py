# %% [markdown]
# # What do baskets look like, and how much of a basket is habit?
#
# A notebook as plain text (cells start with `# %%`): open it in VS Code, PyCharm or, with jupytext, in Jupyter, or run
# it with `python notebooks/explore_baskets.py`. It reads what `tillwise ingest` wrote to the work folder
# (`TILLWISE_HOME`); pictures and findings land in `reports/notebooks/explore_baskets` there.

# %%
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scipy.sparse as sp
from _notes import BLUE, GREEN, GREY, ORANGE, Notes, short
from matplotlib.ticker import PercentFormatter

from configs import load_settings
from features.history import SEPARATOR, ingest_record, load_history

settings = load_settings()
record, history = ingest_record(settings.work.data), load_history(settings.work.data)
notes = Notes("explore_baskets", settings)
catalogue, levels = history.catalogue, history.catalogue.levels
order_of, shopper_of = history.line_order, history.shopper[history.line_order]
when = pd.to_datetime(history.at, unit="s", utc=True).tz_convert(record["timezone"])
day = ((when.normalize() - when[0].normalize()).days).to_numpy()
notes.say(
    f"{record['title']}: {len(history):,} baskets of {len(history.shopper_ids):,} shoppers in {day[-1] + 1} days.",
    baskets=len(history),
    shoppers=len(history.shopper_ids),
)

# %% [markdown]
# ## How large is a basket?

# %%
sizes = np.diff(history.start)
median_size, mean_size = float(np.median(sizes)), float(sizes.mean())
cases = float((sizes >= settings.windows.min_basket_products).mean())
end = int(np.percentile(sizes, 99))
figure, axes = plt.subplots(figsize=(9, 4))
axes.hist(np.minimum(sizes, end), bins=np.arange(0.5, end + 1.5), color=BLUE)
for value, colour, name in ((median_size, ORANGE, "median"), (mean_size, GREEN, "mean")):
    axes.axvline(value, color=colour, label=f"{name} {value:.1f}", linewidth=2)
axes.set(xlabel=f"distinct products in the basket (the last bar: {end} and more)", ylabel="baskets")
axes.yaxis.set_major_formatter("{x:,.0f}")
axes.legend()
notes.say(
    f"Half of the baskets hold at most {median_size:.0f} distinct products, the mean is {mean_size:.1f}: plan for "
    f"small carts with little to go by. {cases:.0%} of baskets have the {settings.windows.min_basket_products} or more "
    "products that it takes to hide a part and judge a recommendation.",
    median_size=median_size,
    mean_size=mean_size,
)
notes.keep(figure, "basket_size", f"Most baskets are small: half hold at most {median_size:.0f} products")

# %% [markdown]
# ## How much is habit?
#
# A line is a repeat when the same shopper had the product in an earlier basket: what the shopper's own history can
# predict. The rest only the cart and other shoppers can.

# %%
pair = shopper_of.astype(np.int64) * len(catalogue) + history.product
first = np.zeros(pair.size, dtype=bool)
first[np.unique(pair, return_index=True)[1]] = True
repeat_share = 1 - float(first.mean())


def earlier(keys):
    """Return how often each entry's key stood earlier in `keys`."""
    by_key = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[by_key], prepend=-1))
    earlier = np.empty(keys.size, dtype=np.int64)
    earlier[by_key] = np.arange(keys.size) - np.repeat(starts, np.diff(np.append(starts, keys.size)))
    return earlier


orders_before = earlier(history.shopper)
edges = np.array([0, 1, 2, 3, 5, 10, 20, 40, 80])
band = np.searchsorted(edges, orders_before[order_of], side="right") - 1
lines_in = np.bincount(band, minlength=edges.size)
used = lines_in > 0
share_in = np.bincount(band, ~first, edges.size)[used] / lines_in[used]
names = [str(low) if high == low + 1 else f"{low}–{high - 1}" for low, high in pairwise(edges)]
names = np.array([*names, f"{edges[-1]}+"])[used]

figure, axes = plt.subplots(figsize=(9, 4))
axes.bar(names, share_in, color=BLUE)
axes.axhline(repeat_share, color=ORANGE, linewidth=2)
axes.text(-0.4, repeat_share + 0.01, f"all lines: {repeat_share:.0%}", color=ORANGE, fontweight="bold")
for place, (share, lines) in enumerate(zip(share_in, lines_in[used], strict=True)):
    axes.text(place, 0.012, f"{lines / 1000:,.0f}k" if lines >= 10_000 else f"{lines:,}", ha="center", fontsize=9,
              color="white" if share > 0.06 else "black")  # fmt: skip
axes.set(xlabel="the shopper's baskets before this one (in the bars: lines)", ylabel="repeats, share of lines")
axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
notes.say(
    f"{repeat_share:.0%} of all lines repeat a product that the shopper bought before; with {names[-1]} baskets "
    f"behind them it is {share_in[-1]:.0%}. Habit is worth learning early, and the rest is for the cart to decide.",
    repeat_share=repeat_share,
    repeat_share_longest_history=float(share_in[-1]),
)
notes.keep(
    figure,
    "repeat_share",
    f"Habit grows with history: {share_in[min(1, len(share_in) - 1)]:.0%} of lines repeat in the second basket, "
    f"{share_in[-1]:.0%} after {edges[used][-1]}",
)

# %% [markdown]
# ## When does a category come back?
#
# The hazard: of the shoppers who bought from the category d days ago and not since, the share that buys from it today.
# Those still waiting when the data end count as waiting until then (Kaplan and Meier 1958).

# %%
HORIZON = 60
bought = pd.DataFrame({"category": levels.leaf[history.product], "shopper": shopper_of, "day": day[order_of]})
bought = bought.drop_duplicates().sort_values(["category", "shopper", "day"])
same = bought.duplicated(["category", "shopper"], keep="last")  # bought again later
waited = np.where(same, bought["day"].diff().shift(-1), day[-1] - bought["day"])
paths = np.unique(np.array(catalogue.categories, dtype=object))
leaf_name = np.array([path.split(SEPARATOR)[-1] for path in paths])
code = bought["category"].to_numpy()
again = same.to_numpy()


def hazard(chosen):
    """Return the share that buys again on days 1 … HORIZON, of those who still wait, in windows of three days."""
    days = np.arange(1, HORIZON + 2)
    events = np.bincount(waited[chosen & again].astype(int), minlength=HORIZON + 3)[days]
    waiting = np.array([(waited[chosen] >= d).sum() for d in days])
    three = np.ones(3)
    return (np.convolve(events, three, "same") / np.maximum(np.convolve(waiting, three, "same"), 1))[:HORIZON]


often, shown, parents = np.argsort(-np.bincount(code[again], minlength=paths.size)), [], set()
for leaf in often:  # the most repeated ones, one of each parent category
    parent = paths[leaf].rpartition(SEPARATOR)[0]
    if parent not in parents and len(shown) < 6:
        parents.add(parent)
        shown.append(int(leaf))
curve = {leaf: hazard(code == leaf) for leaf in shown}
everything = np.bincount(waited[again].astype(int), minlength=HORIZON + 3)
weeks = np.arange(7, HORIZON - 3, 7)
rhythm = float(everything[weeks].sum() / ((everything[weeks - 2].sum() + everything[weeks + 2].sum()) / 2))

figure, panels = plt.subplots(2, 3, figsize=(11, 6), sharex=True, sharey=True)
days = np.arange(1, HORIZON + 1)
for axes, leaf in zip(panels.flat, shown, strict=False):
    for week in weeks:
        axes.axvline(week, color="#DDDDDD", linewidth=1, zorder=0)
    axes.plot(days, curve[leaf], color=BLUE, linewidth=2)
    axes.set_title(short(leaf_name[leaf]), fontsize=11)
    axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
for axes in panels[-1]:
    axes.set(xlabel="days since the last purchase", xticks=np.arange(0, HORIZON + 1, 14))
for axes in panels[:, 0]:
    axes.set(ylabel="buy again that day", ylim=(0, None))
more = f"{abs(rhythm - 1):.0%} {'more' if rhythm > 1 else 'less'} frequent"
fastest = max(shown, key=lambda leaf: curve[leaf].max())
peak = int(curve[fastest].argmax()) + 1
notes.say(
    f"Purchases from a category come back in rhythm: gaps of whole weeks are {more} than those "
    f"two days off. {leaf_name[fastest]} returns fastest, {curve[fastest].max():.1%} a day around day {peak}. What is "
    "'due' depends on the category, so days since the last purchase only mean something against the usual gap.",
    weekly_rhythm=rhythm,
    hazard_peak_day={leaf_name[leaf]: int(curve[leaf].argmax()) + 1 for leaf in shown},
)
notes.keep(
    figure,
    "repurchase_hazard",
    f"Each category has its own rhythm; gaps of whole weeks (grey) are {more}",
)

# %% [markdown]
# ## What is bought together?
#
# Lift: how much more often two things share a basket than chance would have it.

# %%
ENOUGH = max(15, round(len(history) / 2_000))
"""Baskets that must hold a pair: a lift from fewer is luck."""


def lifts(item, group, most):
    """Return the `most` pairs (a, b, lift, baskets) of different groups, highest lift first, an item at most twice."""
    baskets = sp.csr_matrix((np.ones(item.size, np.float32), (order_of, item)), shape=(len(history), group.size))
    baskets.data[:] = 1.0
    baskets.sum_duplicates()
    baskets.data[:] = 1.0
    count = np.asarray(baskets.sum(axis=0)).ravel()
    frequent = np.flatnonzero(count >= ENOUGH)
    frequent = frequent[np.argsort(-count[frequent])][:3_000]
    found = sp.triu(baskets[:, frequent].T @ baskets[:, frequent], k=1).tocoo()
    a, b = frequent[found.row], frequent[found.col]
    kept = (found.data >= ENOUGH) & (group[a] != group[b])
    a, b, both = a[kept], b[kept], found.data[kept]
    lift = both * len(history) / (count[a] * count[b])
    taken, pairs = dict[int, int](), []
    for place in np.argsort(-lift):
        if len(pairs) < most and max(taken.get(int(a[place]), 0), taken.get(int(b[place]), 0)) < 2:
            pairs.append((int(a[place]), int(b[place]), float(lift[place]), int(both[place])))
            for one in (a[place], b[place]):
                taken[int(one)] = taken.get(int(one), 0) + 1
    return pairs


leaf_parent = np.zeros(paths.size, dtype=np.int64)
leaf_parent[levels.leaf] = levels.parent
panels_of = {
    "products of different categories": (lifts(history.product, levels.leaf, 10), np.array(catalogue.titles)),
    "categories of different parents": (lifts(levels.leaf[history.product], leaf_parent, 10), leaf_name),
}
figure, panels = plt.subplots(2, 1, figsize=(10, 8.6))
for axes, (name, (pairs, words)) in zip(panels, panels_of.items(), strict=True):
    labels = [f"{short(words[a])} + {short(words[b])}" for a, b, _, _ in pairs]
    axes.barh(range(len(pairs)), [lift for _, _, lift, _ in pairs], color=BLUE)
    for place, (_, _, lift, both) in enumerate(pairs):
        axes.text(lift, place, f"  {both:,} baskets", va="center", fontsize=9)
    axes.set_yticks(range(len(pairs)), labels, fontsize=9)
    axes.set(xlabel=f"lift: times as often as by chance (pairs in at least {ENOUGH} baskets)", title=name)
    axes.invert_yaxis()
    axes.margins(x=0.12)
pairs, words = panels_of["products of different categories"]
a, b, lift, both = pairs[0]
notes.say(
    f"Bought together far beyond chance: {words[a]} and {words[b]}, {lift:,.0f} times as often as if the one told "
    f"nothing of the other, in {both:,} baskets. High lifts are meals and projects; the cart says which one is on.",
    top_lift=lift,
    top_pair=[catalogue.ids[a], catalogue.ids[b]],
    top_pair_baskets=both,
)
notes.keep(
    figure,
    "bought_together",
    f"{short(words[a], 26)} and {short(words[b], 26)} share a basket {lift:,.0f} times as often as by chance",
)

# %% [markdown]
# ## When do people shop?

# %%
week = np.zeros((7, 24))
np.add.at(week, (when.dayofweek, when.hour), 1)
week /= week.sum()
names_of_days = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
busiest = np.unravel_index(week.argmax(), week.shape)
weekend = float(week[5:].sum())
figure, axes = plt.subplots(figsize=(10, 3.8))
image = axes.imshow(week, aspect="auto", cmap="cividis")
axes.set_yticks(range(7), names_of_days)
axes.set_xticks(range(0, 24, 2))
axes.set_xlabel(f"hour of the day ({record['timezone']})")
axes.spines[:].set_visible(False)
figure.colorbar(image, ax=axes, label="share of all baskets", format=PercentFormatter(1, 1))
peak_name = f"{names_of_days[busiest[0]]} {busiest[1]}–{busiest[1] + 1} h"
notes.say(
    f"The busiest hour is {peak_name} with {week.max():.1%} of all baskets; Saturday and Sunday hold {weekend:.0%} "
    f"(two of seven days would be {2 / 7:.0%}). Whether *what* is bought depends on the hour too is measured in "
    "idea_to_measured_worth.py.",
    weekend_share=weekend,
    busiest_hour=[int(busiest[0]), int(busiest[1])],
)
notes.keep(figure, "time_of_week", f"The shop is fullest on {peak_name}; the weekend holds {weekend:.0%} of baskets")

# %% [markdown]
# ## Prices and discounts

# %%
price, off = history.unit_price, history.discount > 0
worth = price * history.quantity + history.discount
discount_share, depth = float(off.mean()), history.discount[off] / np.maximum(worth[off], 1e-9)
depth_median = float(np.median(depth)) if depth.size else 0.0
department = levels.department[history.product]
department_name = np.unique([path.split(SEPARATOR)[0] for path in paths])
largest = np.argsort(-np.bincount(department))[:8]
largest = largest[np.bincount(department)[largest] > 0]
discounted = {
    kind: np.array([off[(department == one) & chosen].mean() if ((department == one) & chosen).any() else np.nan
                    for one in largest])
    for kind, chosen in (("first time", first), ("repeat", ~first))
}  # fmt: skip
by_kind = {"first time": float(off[first].mean()), "repeat": float(off[~first].mean())}

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4))
paid = price[price > 0]
bins = np.geomspace(np.percentile(paid, 0.1), np.percentile(paid, 99.9), 40)
left.hist(
    [price[off], price[~off]], bins=bins, stacked=True, color=[ORANGE, BLUE], label=["with a discount", "without"]
)
left.set(xscale="log", xlabel="price paid per unit (the shop's currency)", ylabel="order lines")
left.xaxis.set_major_formatter("{x:g}")
left.yaxis.set_major_formatter("{x:,.0f}")
left.legend()
for kind, colour, marker in (("first time", BLUE, "o"), ("repeat", ORANGE, "s")):
    right.plot(discounted[kind], range(largest.size), marker, color=colour, markersize=8, label=f"{kind} purchases")
right.set_yticks(range(largest.size), [short(name, 20) for name in department_name[largest]])
right.invert_yaxis()
right.grid(axis="x")
right.set(xlabel="share of lines with a discount", xlim=(0, None), title="largest departments first")
right.xaxis.set_major_formatter(PercentFormatter(1, 0))
figure.legend(*right.get_legend_handles_labels(), loc="outside lower right", ncols=2)
notes.say(
    f"{discount_share:.0%} of lines carry a discount, typically {depth_median:.0%} off; {by_kind['first time']:.0%} of "
    f"first-time purchases and {by_kind['repeat']:.0%} of repeats. The more of them are "
    "discounted, the less a discount alone says about one product.",
    discount_share=discount_share,
    discount_share_first_time=by_kind["first time"],
    discount_share_repeat=by_kind["repeat"],
)
notes.keep(
    figure,
    "price_and_discount",
    f"{discount_share:.0%} of lines carry a discount: {by_kind['first time']:.0%} of first-time purchases, "
    f"{by_kind['repeat']:.0%} of repeats",
)

# %% [markdown]
# ## How few products sell how much?

# %%
per_product = np.sort(np.bincount(history.product, minlength=len(catalogue)))[::-1]
per_product = per_product[per_product > 0]
running = np.cumsum(per_product) / per_product.sum()
makes = {share: int(np.searchsorted(running, share)) + 1 for share in (0.5, 0.8)}
once = float((per_product == 1).mean())
figure, axes = plt.subplots(figsize=(9, 4.2))
axes.plot(np.arange(1, running.size + 1), running, color=BLUE, linewidth=2)
for share, products in makes.items():
    axes.plot([products, products, 1], [0, share, share], color=GREY, linewidth=1, linestyle="--")
    axes.annotate(f"{products:,} products: {share:.0%}", (products, share), xytext=(-8, 6), textcoords="offset points",
                  ha="right")  # fmt: skip
axes.set(xscale="log", xlabel="products, best seller first (logarithmic)", ylabel="share of all lines", ylim=(0, 1.03))
axes.set_xlim(1, running.size)
axes.xaxis.set_major_formatter("{x:,.0f}")
axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
notes.say(
    f"{makes[0.5]:,} of {running.size:,} products sold ({makes[0.5] / running.size:.1%}) make half of all lines, and "
    f"{once:.0%} of them were sold exactly once. A short list of best sellers covers much, and most of the "
    "catalogue has to be reached by something else.",
    products_sold=int(running.size),
    products_for_half=makes[0.5],
    sold_once_share=once,
)
notes.keep(figure, "concentration", f"{makes[0.5] / running.size:.1%} of the products sold make half of all lines")

# %% [markdown]
# ## How much is cold?
#
# A product is cold when hardly anybody has bought it yet: then co-occurrence knows nothing of it.

# %%
before = earlier(history.product)
week_of = day[order_of] // 7
full = int((day[-1] + 1) // 7)
limits = {"never sold before": 0, "sold 1–4 times": 4, "sold 5–19 times": 19, "sold 20 times or more": before.max()}
kind = np.searchsorted(list(limits.values())[:-1], before, side="left")
shares = np.zeros((4, full))
np.add.at(shares, (kind[week_of < full], week_of[week_of < full]), 1)
shares /= np.maximum(shares.sum(axis=0), 1)
lately = shares[:, -min(8, full) :].mean(axis=1)
figure, axes = plt.subplots(figsize=(9, 4.2))
axes.stackplot(
    np.arange(1, full + 1), shares, labels=list(limits), colors=plt.get_cmap("cividis")([0, 0.35, 0.7, 0.95])
)
axes.set(xlabel="week of the data", ylabel="share of all lines", xlim=(1, full), ylim=(0, 1))
axes.yaxis.set_major_formatter(PercentFormatter(1, 0))
figure.legend(loc="outside lower center", ncols=4)
cold = float(lately[0] + lately[1])
notes.say(
    f"In the last {min(8, full)} weeks {lately[0]:.1%} of lines were of products never sold before and {cold:.1%} of "
    "products sold under five times. The first weeks only look cold, since the data begin there. Cold products lean on "
    "their category: that is what item vectors do for them.",
    never_sold_share=float(lately[0]),
    cold_share=cold,
)
notes.keep(figure, "cold_products", f"Once the data are warm, {cold:.1%} of lines are products sold under five times")
print("Pictures:", notes.folder)
