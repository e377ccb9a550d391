"""Write the synthetic corner shop: `python tests/datasets/make_corner_shop.py [FOLDER]`.

It writes the same bytes every time. No real shop or person is behind them. What there is to learn: missions
(products that are bought together), each shopper's favourite missions, own brand per kind of product, and
habits. A few rows are broken on purpose; how many of each kind is written to `planted.json`, which the tests
compare with what ingestion reports.
"""

from __future__ import annotations

import csv
import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

SEED = 20251123
DAYS = 120
SHOPPERS = 150
FIRST_DAY = datetime(2024, 1, 15, tzinfo=ZoneInfo("Europe/Amsterdam"))  # summer time starts on 31 March

KINDS = {  # department: {kind: list price of the middle brand}
    "Bakery": {"Bread": 2.8, "Rolls": 1.9, "Croissants": 3.2, "Cake": 4.5},
    "Dairy": {"Milk": 1.3, "Butter": 2.6, "Yoghurt": 1.8, "Cheese": 4.9},
    "Produce": {"Bananas": 1.7, "Apples": 2.4, "Tomatoes": 2.2, "Lettuce": 1.5},
    "Pantry": {"Spaghetti": 1.4, "Tomato Sauce": 1.9, "Rice": 2.3, "Olive Oil": 7.5},
    "Breakfast": {"Muesli": 3.9, "Jam": 2.7, "Honey": 4.2, "Oat Flakes": 1.2},
    "Drinks": {"Coffee": 6.9, "Tea": 2.5, "Orange Juice": 2.9, "Cola": 1.8},
    "Snacks": {"Crisps": 1.9, "Chocolate": 2.1, "Nuts": 3.4, "Biscuits": 1.6},
    "Frozen": {"Pizza": 3.6, "Ice Cream": 4.4, "Peas": 1.9, "Fish Fingers": 3.9},
    "Household": {"Detergent": 8.9, "Dish Soap": 1.7, "Kitchen Paper": 2.9, "Bin Bags": 2.2},
    "Care": {"Shampoo": 3.8, "Toothpaste": 2.4, "Nappies": 11.5, "Baby Wipes": 2.6},
}
BRANDS = {"Corner": 0.8, "Halden": 1.0, "Brio": 1.3}  # brand: price level
MISSIONS = [
    ("Spaghetti", "Tomato Sauce", "Cheese", "Olive Oil"),
    ("Muesli", "Milk", "Yoghurt", "Bananas"),
    ("Bread", "Butter", "Jam", "Cheese"),
    ("Coffee", "Milk", "Croissants", "Biscuits"),
    ("Tea", "Honey", "Biscuits", "Cake"),
    ("Tomatoes", "Lettuce", "Olive Oil", "Rolls"),
    ("Crisps", "Cola", "Pizza", "Ice Cream"),
    ("Nappies", "Baby Wipes", "Bananas", "Apples"),
    ("Fish Fingers", "Peas", "Rice", "Butter"),
    ("Detergent", "Dish Soap", "Kitchen Paper", "Bin Bags"),
    ("Shampoo", "Toothpaste", "Kitchen Paper"),
    ("Nuts", "Chocolate", "Apples", "Rolls"),
    ("Oat Flakes", "Milk", "Honey", "Bananas"),
    ("Orange Juice", "Croissants", "Jam", "Butter"),
]

ALL_KINDS = [kind for group in KINDS.values() for kind in group]
AGES = ("18-29", "30-44", "45-64", "65+")
ARTICLE_COLUMNS = ["sku", "name", "maker_note", "department", "shelf", "maker", "list_price", "available"]


@dataclass(frozen=True)
class Article:
    """One product: what it is and its list price."""

    sku: str
    department: str
    kind: str
    brand: str
    price: float


@dataclass(frozen=True)
class Member:
    """One shopper: days between visits, favourite missions, brand per kind and habits (kinds)."""

    name: str
    gap_days: float
    missions: list[int]
    brand: dict[str, str]
    habits: list[str]


@dataclass
class Line:
    """One line of a ticket, as the CSV will show it."""

    sku: str
    pieces: str
    paid: str
    rebate: str


@dataclass
class Ticket:
    """One visit, as the CSV will show it."""

    number: str
    member: str
    sold_at: str
    till: str
    lines: list[Line]

    def head(self) -> list[str]:
        """The row of the ticket table."""
        return [self.number, self.member, self.sold_at, self.till]


def make_articles() -> list[Article]:
    """Every kind in every brand; SKUs keep their leading zeros."""
    return [
        Article(f"{number:04d}", department, kind, brand, round(price * level, 2))
        for number, (department, kind, price, brand, level) in enumerate(
            (
                (department, kind, price, brand, level)
                for department, kinds in KINDS.items()
                for kind, price in kinds.items()
                for brand, level in BRANDS.items()
            ),
            start=7,
        )
    ]


def make_members(dice: random.Random) -> list[Member]:
    """Shoppers with tastes drawn by `dice`."""
    members = []
    for number in range(SHOPPERS):
        loyal_to = dice.choice(list(BRANDS))
        brand = {k: loyal_to if dice.random() < 0.4 else dice.choice(list(BRANDS)) for k in ALL_KINDS}
        missions = dice.sample(range(len(MISSIONS)), 4)
        members.append(Member(f"M{number:03d}", dice.uniform(2.7, 7.4), missions, brand, dice.sample(ALL_KINDS, 6)))
    return members


def promoted_in(week: int) -> set[str]:
    """SKUs on promotion in a week."""
    return {f"{number:04d}" for number in random.Random(SEED * 1000 + week).sample(range(7, 127), 8)}


def pick_kinds(member: Member, dice: random.Random) -> list[str]:
    """The kinds in one basket, 3 to 10 of them: one or two missions, habits that are due, some impulse."""
    wanted: dict[str, None] = {}
    for _ in range(1 if dice.random() < 0.85 else 2):
        favourite = dice.random() < 0.8
        mission = MISSIONS[dice.choice(member.missions) if favourite else dice.randrange(len(MISSIONS))]
        wanted |= dict.fromkeys(kind for kind in mission if dice.random() < 0.75)
    wanted |= dict.fromkeys(kind for kind in member.habits if dice.random() < 0.35)
    while len(wanted) < 3 or dice.random() < 0.12:
        wanted[dice.choice(ALL_KINDS)] = None
    return list(wanted)[:10]


def fill_basket(member: Member, day: int, articles: Sequence[Article], dice: random.Random) -> list[Line]:
    """Turn the kinds of one visit into lines: own brand mostly, a promoted brand now and then."""
    promoted = promoted_in(day // 7)
    shelf = {(article.kind, article.brand): article for article in articles}
    lines = []
    for kind in pick_kinds(member, dice):
        brands = list(BRANDS)
        on_offer = [brand for brand in brands if shelf[kind, brand].sku in promoted]
        own = member.brand[kind] if dice.random() < 0.9 else dice.choice(brands)
        article = shelf[kind, on_offer[0] if on_offer and dice.random() < 0.35 else own]
        pieces = 1 if dice.random() < 0.85 else dice.randint(2, 4)
        full = round(article.price * pieces, 2)
        rebate = round(0.25 * full, 2) if article.sku in promoted else 0.0
        lines.append(Line(article.sku, f"{pieces}", f"{full - rebate:.2f}", f"{rebate:g}"))
    return lines


def make_tickets(articles: Sequence[Article], dice: random.Random) -> list[Ticket]:
    """All visits of all members in order of time, with offsets of the shop's local time."""
    visits = []
    for member in make_members(dice):
        day = dice.uniform(0, member.gap_days)
        while day < DAYS:
            clock = timedelta(hours=dice.choice((9, 11, 12, 16, 17, 17, 18, 19)), minutes=dice.randrange(60))
            sold_at = FIRST_DAY + timedelta(days=int(day)) + clock
            visits.append((sold_at, member, int(day)))
            day += member.gap_days * dice.uniform(0.6, 1.4)
    visits.sort(key=lambda visit: (visit[0], visit[1].name))
    return [
        Ticket(
            f"{number}",
            member.name,
            sold_at.isoformat(timespec="minutes"),
            dice.choice(("till", "till", "web")),
            fill_basket(member, day, articles, dice),
        )
        for number, (sold_at, member, day) in enumerate(visits, start=1000)
    ]


def plant(tickets: list[Ticket]) -> dict[str, dict[str, int]]:
    """Break some rows in place; return how many of each kind, by table."""
    for ticket, broken in zip(tickets[100:103], ("", "soon", "2224-02-01T10:00+01:00"), strict=True):
        ticket.member, ticket.sold_at = (ticket.member, broken) if broken else ("", ticket.sold_at)
    tickets[200].lines[0].pieces = "0"
    tickets[201].lines[0].pieces = "-1"
    tickets[202].lines[0].paid = ""
    tickets[203].lines[0].paid = "-2.00"
    tickets[204].lines.append(Line("4711", "1", "3.00", "0"))
    tickets[205].lines.append(Line("", "1", "3.00", "0"))
    for ticket in tickets[300:306]:
        ticket.lines.append(Line(ticket.lines[0].sku, "1", "2.00", "0"))
    for ticket in tickets[400:410]:
        ticket.lines[0].sku = f" {ticket.lines[0].sku} "
    for ticket in tickets[500:1000:10]:
        ticket.lines.append(Line("9001", "1", "0.25", "0"))
    tickets.append(Ticket("ghost", "", "", "", [Line("0007", "1", "2.24", "0")]))
    lines = sum(len(ticket.lines) for ticket in tickets)
    of_broken_tickets = sum(len(ticket.lines) for ticket in tickets[100:103])
    return {
        "articles": {"rows": 124, "excluded": 1, "without_sku": 1, "negative_price": 1, "good": 121},
        "tickets": {
            "rows": len(tickets) - 1,
            "without_member": 1,
            "unreadable_time": 1,
            "absurd_time": 1,
            "good": len(tickets) - 4,
        },
        "ticket_lines": {
            "rows": lines,
            "excluded": 50,
            "of_unknown_ticket": of_broken_tickets + 1,
            "of_unknown_article": 1,
            "without_sku": 1,
            "bad_quantity": 2,
            "bad_price": 2,
            "merged_away": 6,
            "good": lines - 50 - of_broken_tickets - 1 - 1 - 1 - 2 - 2 - 6,
        },
        "members": {"rows": SHOPPERS + 1, "repeated": 1, "good": SHOPPERS},
    }


def article_rows(articles: Iterable[Article]) -> list[list[str]]:
    """The product table, with one article out of stock in each of three kinds and four planted rows."""
    gone = {"0021", "0066", "0111"}
    rows = [
        [
            a.sku,
            a.kind,
            f"by {a.brand}",
            a.department,
            a.kind,
            a.brand,
            f"{a.price:.2f}",
            "no" if a.sku in gone else "yes",
        ]
        for a in articles
    ]
    return [
        *rows,
        ["8001", "Calendar", "never sold", "Household", "Calendars", "", "", "yes"],
        ["9001", "Bag deposit", "", "Services", "Deposits", "", "0.25", "yes"],
        ["9002", "Misprint", "", "Household", "Misprints", "", "-1.00", "yes"],
        ["", "Nameless", "", "Household", "Misprints", "", "1.00", "yes"],
    ]


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write one table with Unix line ends."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])


def main(folder: Path) -> None:
    """Write the four tables and `planted.json` into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    dice = random.Random(SEED)
    articles = make_articles()
    tickets = make_tickets(articles, dice)
    planted = plant(tickets)
    real = tickets[:-1]
    write_csv(folder / "articles.csv", ARTICLE_COLUMNS, article_rows(articles))
    write_csv(folder / "tickets.csv", ["ticket", "member", "sold_at", "till"], [t.head() for t in real])
    write_csv(
        folder / "ticket_lines.csv",
        ["ticket", "sku", "pieces", "paid", "rebate"],
        [[t.number, line.sku, line.pieces, line.paid, line.rebate] for t in tickets for line in t.lines],
    )
    members = [
        [f"M{number:03d}", dice.choice(AGES), dice.choice(("single", "couple", "family"))] for number in range(SHOPPERS)
    ]
    write_csv(folder / "members.csv", ["member", "age_group", "household"], [*members, members[-1]])
    (folder / "planted.json").write_text(json.dumps(planted, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("corner_shop"))
