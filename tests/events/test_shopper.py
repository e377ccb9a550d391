"""What is known of a person: recent orders, and which ids are the same person, whatever order events come in."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable

import pytest
import redis.asyncio as redis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from events.contract import Event, OrderFacts
from events.profiles import ProfileStore
from events.shopper import (
    FirstShown,
    Person,
    RecentOrders,
    ask,
    decode_person,
    orders_of,
    read_person,
    remember,
    unit_key,
)
from events.shopper.identity import MOST_IDS, MOST_LINKS, MOST_USERS, links_of, newest_links, reached, root_of
from events.shopper.store import encode_orders, links_key
from tests.events.builders import EVENTS, NOW, alias, event, identify

Find = Callable[[list[list[Event]], list[str]], list[Person]]


def bought(order: str, who: str | None, *, at: float = NOW, anonymous: str | None = None, message: str = "") -> Event:
    return event(
        *("Order Completed", "a", "b"),
        at=at,
        message=message or f"m-{order}",
        shopper=who,
        anonymous=anonymous,
        order=OrderFacts(order, 5.0, 1.0),
        context={"channel": "till"},
    )


@pytest.fixture
def find(redis_url: str) -> Find:
    """Empties Redis, applies batches of events, and returns the persons with some ids."""

    async def inside(batches: list[list[Event]], ids: list[str]) -> list[Person]:
        async with redis.Redis.from_url(redis_url) as client:
            await client.flushall()
            store = ProfileStore(client, EVENTS)
            for batch in batches:
                await store.apply(batch)
            replies = await ask(client, lambda pipe: [read_person(pipe, an_id) for an_id in ids])
            return [decode_person(reply) for reply in replies]

    return lambda batches, ids: asyncio.run(inside(batches, ids))


def shaken(events: Iterable[Event], chance: random.Random) -> list[list[Event]]:
    """Return the events as batches, in any order, some of them several times."""
    delivered = [copy for item in events for copy in [item] * chance.choice([1, 1, 2])]
    chance.shuffle(delivered)
    cut = chance.randint(0, len(delivered))
    return [delivered[:cut], delivered[cut:]]


@given(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9), st.integers(0, 9)), max_size=25),
    st.randoms(use_true_random=False),
)
def test_recent_orders_are_the_newest_by_order_id_in_any_order(
    drawn: list[tuple[int, int, int]], chance: random.Random
) -> None:
    events = [bought(f"o{order}", "u", at=NOW + at, message=f"m{message}") for order, at, message in drawn]
    record = RecentOrders()
    for batch in shaken(events, chance):
        record = record.after(orders_of(batch, 100), 4)
    assert encode_orders(record) == encode_orders(RecentOrders().after(orders_of(events, 100), 4))
    newest: dict[str, float] = {}
    for order, at, _ in drawn:
        newest[f"o{order}"] = max(NOW + at, newest.get(f"o{order}", 0.0))
    assert [order.at for order in record.orders] == sorted(newest.values())[-4:]
    assert {order.order_id: order.at for order in record.orders}.items() <= newest.items()


def test_an_order_keeps_what_its_event_told() -> None:
    (order,) = RecentOrders().after(orders_of([bought("o1", "u")], 1), 4).orders
    assert (order.order_id, order.value, order.discount, order.channel) == ("o1", 5.0, 1.0, "till")
    assert [line.product_id for line in order.lines] == ["a"]


def test_web_app_and_till_become_one_person(find: Find) -> None:
    events = [
        bought("web", None, at=NOW, anonymous="cookie"),
        bought("app", "app-user", at=NOW + 1),
        bought("till", "card", at=NOW + 2),
        identify("cookie", "card", message="1"),
        alias("app-user", "card", message="2"),
        bought("someone", "else"),
    ]
    persons = find([events], ["cookie", "app-user", "card", "else", "nobody"])
    assert [[order.order_id for order in person.orders] for person in persons[:3]] == [["web", "app", "till"]] * 3
    assert persons[0].ids == ("app-user", "card", "cookie")
    assert {person.root for person in persons[:3]} == {"card"}
    assert [order.order_id for order in persons[3].orders] == ["someone"]
    assert persons[4] == Person("nobody", ("nobody",))


class Groups:
    """Union-find over links, written plainly: what identity is compared with."""

    def __init__(self) -> None:
        self.parent: dict[str, str] = {}

    def find(self, an_id: str) -> str:
        parent = self.parent.setdefault(an_id, an_id)
        return an_id if parent == an_id else self.find(parent)

    def join(self, one: str, other: str) -> None:
        self.parent[self.find(one)] = self.find(other)

    def of(self, an_id: str) -> tuple[str, ...]:
        self.find(an_id)
        return tuple(sorted(other for other in self.parent if self.find(other) == self.find(an_id)))


calls = st.one_of(
    # Each anonymous id has one user, so that no device counts as shared.
    st.integers(0, 5).map(lambda n: identify(f"a{n}", f"u{n % 3}", message=f"i{n}")),
    st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda p: alias(f"v{p[0]}", f"v{p[1]}", message=f"{p}")),
    st.integers(0, 4).map(lambda n: bought(f"u{n}", f"u{n % 3}", at=NOW + n)),
    st.integers(0, 5).map(lambda n: bought(f"a{n}", None, anonymous=f"a{n}", at=NOW + n)),
    st.integers(0, 4).map(lambda n: bought(f"v{n}", f"v{n}", at=NOW + n)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(calls, max_size=14), chance=st.randoms(use_true_random=False))
def test_identity_is_that_of_union_find_whatever_the_order_of_links_and_orders(
    find: Find, events: list[Event], chance: random.Random
) -> None:
    groups, ids = Groups(), [f"{kind}{n}" for kind in "auv" for n in range(5)]
    for item in events:
        if item.kind != "track" and item.shopper_id is not None:
            groups.join(item.previous_id or item.anonymous_id or "", item.shopper_id)
    # More aliases of one id than a person has: see the test of shared devices.
    assume(all(_users_of(an_id, events) <= MOST_USERS for an_id in ids))
    persons = find(shaken(events, chance), ids)
    for an_id, person in zip(ids, persons, strict=True):
        assert person.ids == groups.of(an_id)
        orders = {item.order.order_id for item in events if item.order and _owner(item) in person.ids}
        assert {order.order_id for order in person.orders} == orders
    assert len({person.root for person in persons if "u0" in person.ids}) <= 1


def _owner(item: Event) -> str | None:
    return item.shopper_id or item.anonymous_id


def _users_of(an_id: str, events: Iterable[Event]) -> int:
    return len({e.shopper_id for e in events if e.kind != "track" and an_id in {e.previous_id, e.anonymous_id}})


def test_a_device_that_many_users_share_joins_none_of_them(find: Find) -> None:
    users = [f"u{number}" for number in range(MOST_USERS + 1)]
    events = [identify("kiosk", user, message=user) for user in users]
    for person in find([events + [bought(user, user) for user in users]], users):
        assert len(person.ids) == len(person.orders) == 1
    (kiosk,) = find([events], ["kiosk"])
    assert kiosk.ids == ("kiosk",)


def test_identity_stays_bounded_whatever_is_linked(find: Find, redis_url: str) -> None:
    many = [identify(f"a{number:04d}", "u", at=NOW + number, message=f"{number}") for number in range(500)]
    chain = [alias(f"c{number}", f"c{number + 1}", message=f"c{number}") for number in range(100)]
    backwards, forwards = find([many[::-1] + chain], ["u", "c50"]), find([chain, many], ["u", "c50"])
    assert backwards == forwards
    assert all(len(person.ids) <= MOST_IDS for person in forwards)
    assert "a0499" in forwards[0].ids

    async def links() -> int:
        async with redis.Redis.from_url(redis_url) as client:
            return int(await client.zcard(links_key("u")))

    assert asyncio.run(links()) == MOST_LINKS


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 7), st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=40)
)
def test_whoever_keeps_links_elsewhere_finds_the_same_person_as_redis(
    find: Find, told: list[tuple[bool, int, int, int]]
) -> None:
    events = [
        (alias if is_alias else identify)(f"a{other}", f"u{user}", at=NOW + at, message=f"m{number}")
        for number, (is_alias, other, user, at) in enumerate(told)
    ]
    newest: dict[str, dict[str, float]] = {}
    for link in links_of(events):
        kept = newest.setdefault(link.owner, {})
        kept[link.other] = max(link.at, kept.get(link.other, link.at))
    ids = sorted(newest)
    for an_id, person in zip(ids, find([events], ids), strict=True):
        links = reached(an_id, lambda other: newest_links(newest[other].items()))
        assert (root_of(links), tuple(sorted(links))) == (person.root, person.ids)


def test_a_person_has_the_name_in_experiments_that_was_remembered_first_under_any_id(redis_url: str) -> None:
    async def inside() -> list[str | None]:
        async with redis.Redis.from_url(redis_url) as client:
            await ProfileStore(client, EVENTS).apply([identify("cookie", "user"), alias("app", "user")])
            found = []
            for an_id, unit in (("nobody", "x"), ("cookie", "visit"), ("cookie", "later"), ("user", "root's own")):
                await remember(client, [FirstShown(an_id, unit, NOW, 60)])
                (reply,) = await ask(client, lambda pipe: read_person(pipe, "app"))
                found.append(decode_person(reply).unit)
            assert 0 < await client.ttl(unit_key("cookie")) <= 60
            return found

    assert asyncio.run(inside()) == [None, "visit", "visit", "root's own"]
