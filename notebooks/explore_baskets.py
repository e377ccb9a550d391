# %% [markdown]
# # What do baskets look like, and how much of a basket is habit?
#
# A notebook as plain text (cells start with `# %%`): open it in VS Code, PyCharm or, with jupytext, in Jupyter.
# It reads what `tillwise ingest` wrote to the work folder (`TILLWISE_HOME`).

# %%
import matplotlib.pyplot as plt
import numpy as np

from configs import load_settings
from features.cooccurrence import cooccurrence
from features.history import ingest_record, load_history

settings = load_settings()
record = ingest_record(settings.work.data)
history = load_history(settings.work.data)
print(f"{record['title']}: {len(history):,} baskets of {len(history.shopper_ids):,} shoppers")

# %% [markdown]
# ## Basket sizes

# %%
sizes = np.diff(history.start)
print("distinct products a basket: median", int(np.median(sizes)), "mean", round(float(sizes.mean()), 1))
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4))
left.hist(sizes, bins=np.arange(1, 41))
left.set(title="Basket size", xlabel="distinct products", ylabel="baskets")

# %% [markdown]
# ## Repeat purchases
#
# A line is a repeat when the same shopper had the product in an earlier basket: the share that the shopper's own
# history can predict, and the rest that only the cart can.

# %%
pair = history.shopper[history.line_order].astype(np.int64) * len(history.catalogue) + history.product
first_line = np.zeros(pair.size, dtype=bool)
first_line[np.unique(pair, return_index=True)[1]] = True
day = (history.at[history.line_order] - history.at[0]) // 86_400
weeks = np.arange(int(day.max()) // 7 + 1)
repeat_share = [1 - first_line[day // 7 == week].mean() if (day // 7 == week).any() else np.nan for week in weeks]
print("repeat share of all lines:", round(1 - float(first_line.mean()), 3))
right.plot(weeks, repeat_share)
right.set(title="Repeat purchases", xlabel="week", ylabel="share of lines", ylim=(0, 1))
figure.tight_layout()

# %% [markdown]
# ## What goes with the best seller

# %%
together = cooccurrence(history, int(history.at[-1]) + 1, settings.features).cosine
best = int(np.bincount(history.product).argmax())
partners = slice(together.start[best], together.start[best] + 5)
print("with", history.catalogue.titles[best])
for partner, weight in zip(together.partner[partners], together.weight[partners], strict=True):
    print(f"  {weight:.3f}  {history.catalogue.titles[partner]}")

# %%
plt.show()
