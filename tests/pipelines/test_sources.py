"""A stage's fingerprint covers the source text it rests on, and no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.sources import source_digest, source_files

FILES = {
    "features/__init__.py": "",
    "features/stage.py": "from features.used import helper\nimport json\n",
    "features/used.py": "def helper():\n    from training import deep\n    return deep.value\n",
    "features/unused.py": "value = 1\n",
    "training/__init__.py": "",
    "training/deep.py": "from configs.settings import Settings\nvalue = 2\n",
    "configs/__init__.py": "",
    "configs/settings.py": "Settings = 3\n",
}


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of packages in which features.stage rests on some modules and not on others."""
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_imports_are_followed_through_functions_and_packages(code: Path) -> None:
    found = set(source_files("features.stage", code))
    assert found == {"features", "features.stage", "features.used", "training", "training.deep"}


@pytest.mark.parametrize(
    ("changed", "matters"),
    [
        ("features/stage.py", True),
        ("features/used.py", True),
        ("training/deep.py", True),
        ("features/unused.py", False),
        ("configs/settings.py", False),
    ],
)
def test_the_digest_changes_with_exactly_the_files_it_rests_on(code: Path, changed: str, matters: bool) -> None:
    before = source_digest("features.stage:run", code)
    (code / changed).write_text(FILES[changed] + "# changed\n")
    assert (source_digest("features.stage:run", code) != before) == matters


def test_a_module_that_does_not_exist_is_refused(code: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no module features"):
        source_digest("features.absent:run", code)
