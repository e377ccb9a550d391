"""Functions named as "module:function", imported when they are needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def load_function(name: str) -> Callable[..., Any]:
    """Return the function that "module:function" names.

    Raises:
        ImportError, AttributeError: there is none.
    """
    module, _, attribute = name.partition(":")
    function: Callable[..., Any] = getattr(importlib.import_module(module), attribute)
    return function
