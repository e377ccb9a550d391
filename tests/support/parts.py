"""What happens to a test whose real part is missing here; `.ci/parts` promises them to continuous integration."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(part: str, debian: str) -> NoReturn:
    """Skip the test in one line that says why and what to install; in continuous integration fail it.

    Args:
        part: what is missing, as a person calls it. debian: the package that brings it.
    """
    reason = f"no {part} on this machine (Debian: apt-get install {debian})"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)
