"""Importing Feast in a quarter of the time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from configs.absent import absent


@contextmanager
def lean_feast() -> Iterator[None]:
    """Spare whoever imports Feast in the block two things that it does not need and that take 3.7 of its 4.7 seconds.

    The decorator `typeguard.typechecked` changes nothing, as under `python -O`: for each method of Feast's classes it
    would parse and compile the whole module again, to check the arguments of Feast's objects, which we make in one
    place (`features.feast_repo`). And PyTorch, which Feast loads in case somebody asks for features as tensors, is left
    out unless it is there already.
    """
    import typeguard

    checked = typeguard.typechecked
    typeguard.typechecked = _unchecked
    try:
        with absent("torch"):
            yield
    finally:
        typeguard.typechecked = checked


def _unchecked(target: Any = None, **_: Any) -> Any:
    def same(undecorated: Callable[..., Any]) -> Callable[..., Any]:
        return undecorated

    return same if target is None else target
