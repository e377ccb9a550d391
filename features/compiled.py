"""Loops over products and purchases, compiled to machine code by Numba: what runs for every request.

A kernel says in a loop what would take a dozen numpy calls, each with a cost of its own that outweighs some hundred
numbers. It is compiled at its first call, in about a second; the code is kept beside the module for later processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Return the function compiled: without fast-math, so that results do not depend on the processor.

    The interpreter's lock is released in it. Arrays that are told as scratch must not be shared between threads.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))
