"""Settings of what happens offline: data, features, training, ranking, evaluation, the registry."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from configs.audit import AuditSettings
from configs.gating import GateSettings
from configs.section import Section


class IngestSettings(Section):
    """What happens to rows that break the data contract."""

    max_rejected_share: float = Field(
        ge=0, le=1, description="share of a table's rows that may be quarantined before the run stops"
    )


class WindowSettings(Section):
    """How history is cut in time; every window ends at a local midnight.

    The cutoff, up to which a served model knows anything, is `as_of`, else `until`, else `test_days` before the end
    of the data. `until` (`--until`) is "as if that day were today": later orders are not even ingested, so a model is
    built from everything there is, and nothing is left to evaluate it on. `as_of` (`--as-of`) keeps the later orders
    for evaluation on [as_of, as_of + test_days). Both together judge an older model on a window before `until`.
    """

    until: date | None = Field(description="orders from this local midnight on are left out at ingest; null: none")
    as_of: date | None = Field(description="local midnight of the model's cutoff, not after until; null: see above")
    test_days: int = Field(ge=1, description="days after the cutoff, kept for evaluation and replay only")
    target_days: int = Field(ge=1, description="length of one training fold's target window")
    folds: int = Field(ge=1, description="most training folds before the test window; a short history has fewer")
    min_basket_products: int = Field(ge=2, description="baskets with fewer distinct products are no cases")
    seed: int = Field(description="decides which products of a basket are hidden")

    @model_validator(mode="after")
    def _cutoff_within_data(self) -> WindowSettings:
        if self.until and self.as_of and self.as_of > self.until:
            raise ValueError(f"as_of {self.as_of} lies after until {self.until}, where no data are left")
        return self


class FeatureSettings(Section):
    """Decays and bounds of the state that features keep."""

    repeat_half_life_days: float = Field(gt=0, description="decay of a shopper's purchases of one product")
    popularity_half_life_days: float = Field(gt=0, description="decay of a product's popularity")
    trend_half_life_days: float = Field(gt=0, description="fast decay; trend = fast rate / slow rate")
    price_half_life_days: float = Field(gt=0, description="decay of a product's price level and discount share")
    max_shopper_products: int = Field(ge=10, description="products kept in a shopper's state")
    max_shopper_basket_products: int = Field(
        ge=10, description="products kept in a shopper's newest baskets, over all of them"
    )
    basket_half_life_days: float = Field(gt=0, description="decay of what a shopper's past basket says of this one")
    neighbours: int = Field(ge=1, description="co-occurring products kept per product")
    category_neighbours: int = Field(ge=1, description="co-occurring categories kept per category")
    cosine_shrinkage: float = Field(ge=0, description="added to the cosine's denominator, in baskets")
    confidence_shrinkage: float = Field(ge=0, description="added to the confidence's denominator, in baskets")
    category_shrinkage: float = Field(ge=0, description="the same for confidence between categories")
    usual_products: int = Field(ge=1, description="products that stand for what a shopper usually buys")
    vector_dimensions: int = Field(ge=2, description="length of an item vector")
    vector_prior_orders: float = Field(gt=0, description="at so many orders, product and category weigh the same")
    encoder_pool: int = Field(ge=1, description="most popular products among which the encoder finds the nearest")
    encoder_unsold: int = Field(ge=0, description="the same of products that nobody has bought yet")


class CandidateSettings(Section):
    """How many candidates each generator may contribute."""

    cooccurrence: int = Field(ge=0, description="from what is bought together with the cart")
    history: int = Field(ge=0, description="from the shopper's own purchases")
    popular: int = Field(ge=0, description="from recently popular products")
    neural: int = Field(ge=0, description="nearest to cart and shopper by the encoder")
    unsold: int = Field(ge=0, description="the same among products that nobody has bought yet")
    session: int = Field(
        ge=0, description="products that the session looked at or changed its mind on, and their partners"
    )


class TrainingSettings(Section):
    """The LightGBM ranker (LambdaRank)."""

    seed: int = Field(description="of sampling and of LightGBM")
    max_baskets: int = Field(ge=1, description="most training baskets; more are sampled down")
    hidden_share: float = Field(gt=0, lt=1, description="share of each training basket that is hidden in one draw")
    single_draws: int = Field(ge=1, description="further draws of a basket, each hiding one random product")
    negatives_share: float = Field(
        gt=0, le=1, description="share of the candidates that were not hidden to learn from; evaluation uses all"
    )
    workers: int = Field(ge=0, description="processes that build examples; 0: one per core")
    trees: int = Field(ge=1, description="most boosting rounds")
    early_stopping_rounds: int = Field(ge=1, description="rounds without better validation NDCG before it stops")
    validation_share: float = Field(gt=0, lt=1, description="share of shoppers whose cases steer early stopping")
    learning_rate: float = Field(gt=0, le=1)
    leaves: int = Field(ge=2)
    min_data_in_leaf: int = Field(ge=1)
    columns_share: float = Field(gt=0, le=1, description="share of the columns, by chance, that each tree may use")
    l2: float = Field(ge=0, description="penalty on leaf values: leaves of few rows say less")
    threads: int = Field(
        ge=0,
        description="0: one per core, also where the network is trained beside: the system shares the cores out. The "
        "trees do not depend on it, but it is written into their text",
    )


class EncoderSettings(Section):
    """The encoder of cart and history (PyTorch), whose score both rankers read and whose neighbours are candidates."""

    seed: int = Field(description="of initial weights, of what is hidden and of the sampled products")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one; for training only")
    threads: int = Field(ge=0, description="of training on the CPU; 0: one per core")
    hidden: int = Field(ge=1, description="width of the hidden layer")
    history: int = Field(ge=1, description="newest past purchases that are read")
    cart: int = Field(ge=1, description="most cart products learned from at a time; a request's are all read")
    hidden_products: int = Field(ge=1, description="most hidden products of one draw that are learned")
    negatives: int = Field(ge=1, description="products sampled per step to compete with the hidden ones")
    epochs: int = Field(ge=1, description="passes over the baskets before the first training fold")
    later_epochs: int = Field(ge=1, description="passes over each later fold's baskets")
    later_rate: float = Field(gt=0, le=1, description="share of the learning rate for later folds")
    batch: int = Field(ge=1, description="baskets per step")
    learning_rate: float = Field(gt=0, le=1, description="highest of the one-cycle schedule")
    weight_decay: float = Field(ge=0)


class NetworkSettings(Section):
    """A network and its training (PyTorch)."""

    seed: int = Field(description="of initial weights and of the order of draws")
    device: Literal["auto", "cpu", "cuda"] = Field(description="auto: a GPU if there is one; for training only")
    threads: int = Field(ge=0, description="of training on the CPU; 0: one per core")
    hidden: tuple[int, ...] = Field(min_length=1, description="width of each hidden layer")
    epochs: int = Field(ge=1, description="passes over the examples")
    batch: int = Field(ge=1, description="draws per step")
    learning_rate: float = Field(gt=0, le=1, description="highest of the one-cycle schedule")
    weight_decay: float = Field(ge=0)


class NeuralSettings(NetworkSettings):
    """The neural ranker."""


class StudentSettings(NetworkSettings):
    """The small network that learns from the blend of both rankers to answer like it at a fraction of its cost."""

    max_draws: int = Field(ge=1, description="draws it learns from, chosen by chance if there are more")
    temperature: float = Field(gt=0, description="softens the blend's shares: the higher, the more the also-rans count")
    hard_weight: float = Field(
        ge=0, le=1, description="weight in the loss of what was hidden; the rest is the blend's shares"
    )


Weight = Annotated[float, Field(ge=0, le=1000)]


class SignalSettings(Section):
    """The arm `signals`, which needs no model: what each signal is worth. `features/signals.py` has the formula."""

    activity: Weight = Field(description="most that the session's recent activity adds to a score")
    history: Weight = Field(description="most that the shopper's past purchases add")
    context: Weight = Field(description="most that cart, popularity and price add")
    half_life_minutes: float = Field(gt=0, le=1e6, description="decay of recent activity")
    most_actions: int = Field(ge=1, description="newest views and cart changes of a session that count")
    view: Weight = Field(description="worth of a view or click")
    add: Weight = Field(description="worth of putting a product into the cart")
    remove: Weight = Field(description="worth of taking it out again, instead of what putting it in was worth")
    product: Weight = Field(description="share of an action's worth that goes to the product itself")
    partner: Weight = Field(description="the same for what it is bought with, times their cosine")
    category: Weight = Field(description="the same for products of its leaf category")
    brand: Weight = Field(description="the same for products of its brand")
    cart: Weight = Field(description="part of the context: bought together with the cart; parts are relative")
    popularity: Weight = Field(description="part of the context: sells lately")
    price: Weight = Field(
        description="part of the context: costs what the shopper usually pays, else what the cart does"
    )

    @model_validator(mode="after")
    def _context_has_a_part(self) -> SignalSettings:
        if self.cart + self.popularity + self.price == 0:
            raise ValueError("cart, popularity and price are all 0: give one of them a part in the context")
        return self


class RankingSettings(Section):
    """How scores become a list."""

    head: Literal["blend", "gbm", "neural", "student", "student_int8"] = Field(
        description="whose scores the arms model and value rank by: both rankers blended, one of them alone, or the "
        "network distilled from the blend, in float32 or int8; `python -m benchmarks.heads` compares them"
    )
    shortlist: int = Field(
        ge=0,
        description="how many of the candidates, the best by the int8 student, a dearer head scores; the rest keep the "
        "student's log-odds; 0: all. `python -m benchmarks.heads` tells what the figure saves and loses",
    )
    discovery: float = Field(
        ge=0, description="log-odds added to products new to the shopper: more discoveries for a few repeats less"
    )
    signals: Weight = Field(
        description="log-odds that recent activity adds at most to the arm model, for shops whose data hold no "
        "sessions to learn from; 0: the model takes no notice of it"
    )
    weights: SignalSettings


class EvaluationSettings(Section):
    """The offline comparison of arms on the test window."""

    k: int = Field(ge=1, description="length of the list that is judged")
    bootstrap_samples: int = Field(ge=100, description="resamples of shoppers behind each 95 % interval")
    workers: int = Field(ge=0, description="processes that rank cases; 0: one per core")
    baselines: tuple[str, ...] = Field(description="further ways to rank that are fitted and compared, by name")
    audit: AuditSettings


class RegistrySettings(Section):
    """Where models are registered, and what promotion demands."""

    uri: str | None = Field(description="MLflow tracking URI; null: SQLite below the work folder")
    model_name: str = Field(min_length=1, description="name of the registered model")
    experiment: str = Field(min_length=1, description="MLflow experiment that training runs are logged to")
    beat_arms: tuple[str, ...] = Field(description="arms whose 95 % interval a candidate champion's must lie above")
    poll_seconds: float = Field(gt=0, description="how often `tillwise follow` asks the registry what its aliases mean")
    lease_seconds: float = Field(
        gt=0,
        description="a machine that shares the registry may move aliases for so long without being heard: a move takes "
        "a second or two, and what a killed process held up goes on after that",
    )
    gate: GateSettings
