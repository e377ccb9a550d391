"""A stack of one's own leaves no trace in the work folder beside which it runs."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from configs import Settings
from pipelines.parts.own import own_home
from pipelines.verdict_table import verdict_table
from training.gate import Check, Verdict


def test_what_runs_in_a_home_of_its_own_reads_the_tables_and_writes_elsewhere(
    built_shop: Settings, tmp_path: Path
) -> None:
    shop = built_shop.model_copy(update={"home": tmp_path})
    shop.work.data.symlink_to(built_shop.work.data)
    shop.work.features.symlink_to(built_shop.work.features)
    killed = tmp_path / ".trial.killed.partial"
    killed.mkdir()
    before = {path.name for path in shop.work.features.iterdir()}
    with own_home(shop, "trial") as own:
        assert not killed.exists()
        assert (own.work.features / "features.json").read_bytes() == (shop.work.features / "features.json").read_bytes()
        assert (own.work.data / "orders.parquet").exists()
        (own.work.features / "registry.db").write_text("its own")
        own.work.logs.mkdir()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "features"}
    assert {path.name for path in shop.work.features.iterdir()} == before


def test_a_verdict_is_shown_with_what_fell_short() -> None:
    checks = [
        Check("memory", True, "600 MiB", "≤ 1024 MiB", "it fits"),
        Check("audit", False, "none", "passed", "there is no audit"),
    ]
    shown = Console(width=100, record=True, file=io.StringIO())
    shown.print(verdict_table(Verdict("7", "abc", "6", checks).as_dict() | {"alias": "champion"}))
    text = shown.export_text()
    assert "Version 7 at the gate to champion (the champion is version 6)" in text
    assert "✓  memory  600 MiB  ≤ 1024 MiB" in text
    assert "✗  audit" in text
    assert "audit: there is no audit." in text
    assert "It does not pass, for 1 of 2 checks." in text
