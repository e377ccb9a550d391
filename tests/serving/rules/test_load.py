"""Reading rules files: what fits, and how what does not fit is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from configs import load_settings
from configs.errors import ConfigError
from serving.rules import read_rules
from serving.rules.schema import Rules


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "rules.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_the_default_file_asks_for_nothing_and_names_every_part() -> None:
    path = load_settings().serving.rules_file
    assert read_rules(path).rules == Rules()
    assert read_rules(path).rules.inert
    assert all(f"\n{name}:" in path.read_text() for name in Rules.model_fields)


def test_every_example_in_the_default_file_is_valid(tmp_path: Path) -> None:
    lines = load_settings().serving.rules_file.read_text().splitlines()
    keys = [line for line in lines if line and not line.startswith("# ")]
    assert any(line.strip().startswith("# -") for line in keys) or "# - {" in "\n".join(lines)
    shown, head = [], True
    for line in lines:
        head = head and line.startswith("#")
        if head:
            continue
        indent = line[: len(line) - len(line.lstrip())]
        example = line.strip().startswith("#")
        shown.append(indent + line.strip().removeprefix("# ") if example else line)
    text = "\n".join(shown).replace(": []", ":")
    rules = read_rules(written(tmp_path, text)).rules
    for part in ("blocked", "restricted", "price_bands", "placements", "pinned"):
        assert getattr(rules, part), part
    assert rules.recently_bought.intervals
    assert rules.boosts.promotions
    assert rules.caps.groups


def test_the_version_tells_contents_apart_and_nothing_else(tmp_path: Path) -> None:
    first, again = (read_rules(written(tmp_path, "caps: {brand: 2}\n")).version for _ in range(2))
    other = read_rules(written(tmp_path, "caps: {brand: 3}\n")).version
    assert first == again != other
    assert len(first) == 12


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("caps:\n  brand: many\n", "line 2: caps.brand: found 'many', expected a valid integer"),
        ("caps:\n  brand: 0\n", "line 2: caps.brand: found 0, expected greater than or equal to 1"),
        ("\n\nblokked: []\n", "line 3: blokked: found a key that means nothing here, expected one of the known keys"),
        ("blocked:\n- when: {}\n", "line 2: blocked[0].select: found nothing, expected a value: this key is needed"),
        (
            "blocked:\n- select: {}\n",
            "line 2: blocked[0].select: selects nothing; expected products, categories or brands",
        ),
        ("diversity: {lambda: 2}\n", "line 1: diversity.lambda: found 2, expected less than or equal to 1"),
        (
            "restricted:\n\n- select: {brands: [B]}\n  minimum_age: 18\n  countries: [NO]\n",
            "line 5: restricted[0].countries[0]: found False, expected a valid string",  # quote it: "NO"
        ),
        ("pinned:\n- {product: 1029743, position: 1}\n", "line 2: pinned[0].product: found 1029743, expected a valid"),
        ("caps: {brand: 1}\ntimezone: Mars\ncaps: {}\n", "line 3: found 'caps' twice, expected it once"),
        ("timezone: Mars/Olympus\n", "line 1: timezone: no time zone is called 'Mars/Olympus'; expected an IANA name"),
        (
            "placements:\n- when: {steps: [1]}\n",
            "line 2: placements[0]: asks for nothing; expected only, price_at_most",
        ),
        ("boosts: {promotions: [{select: {brands: [B]}, log_odds: .nan}]}\n", "line 1: boosts.promotions[0].log_odds"),
        (
            "blocked:\n- select: {brands: [B]}\n  when: {first_day: 2026-02-02, last_day: 2026-02-01}\n",
            "line 3: blocked[0].when: first_day 2026-02-02 is after last_day 2026-02-01",
        ),
        ("caps: {brand: 1\n", "line 2: found "),
        ("", "line 1: found no keys"),
        ("- caps\n", "line 1: found no keys"),
        ("caps: &loop\n  groups: [*loop]\n", "groups[0]"),
        (b"caps: \xff\xfe", "expected valid YAML in UTF-8"),
        ("caps: {brand: 1}\n---\ncaps: {}\n", "expected valid YAML"),
        ("#" * 1_000_001, "expected at most 1,000,000"),
        ("caps: !!python/object/apply:os.system [x]\n", "line 1: found could not determine a constructor"),
        ("? [a, b]\n: 1\n", "expected"),
    ],
    ids=lambda text: repr(text[:30]),
)
def test_what_does_not_fit_is_told_with_its_line(tmp_path: Path, text: str | bytes, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        read_rules(path)
    assert str(path) in str(caught.value)
    assert told in str(caught.value)


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"line 1: caps\.brand.*line 2: diversity\.lambda"):
        read_rules(written(tmp_path, "caps: {brand: x}\ndiversity: {lambda: x}\n"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_rules(tmp_path / "none.yaml")
