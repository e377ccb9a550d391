"""`tillwise record` with something to do once."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

from sqlalchemy import create_engine, inspect

from configs import load_settings
from events.record import tables
from events.record.log import log_folder
from events.record.parquet import as_table, write_part
from tests.events.builders import event


def tillwise_record(home: Path, action: str) -> None:
    environment = os.environ | {"TILLWISE_HOME": str(home)}
    subprocess.run([sys.executable, "-m", "pipelines.cli", "record", action], env=environment, check=True)


def test_migrate_makes_the_tables(tmp_path: Path) -> None:
    tillwise_record(tmp_path, "migrate")
    engine = create_engine(f"sqlite:///{tmp_path}/record/record.db")
    assert set(tables.metadata.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_compact_makes_one_file_of_a_closed_day(tmp_path: Path) -> None:
    folder = log_folder(load_settings(home=tmp_path))
    day = date(2024, 5, 1)
    for message in ("a", "b"):
        write_part(folder, day, [as_table([event("Product Added", "p", message=message)])])
    tillwise_record(tmp_path, "compact")
    assert len(list(folder.glob("day=*/*"))) == 1
