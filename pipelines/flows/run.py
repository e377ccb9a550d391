"""Runs one flow here and now, for `tillwise flows run`."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import httpx
from prefect import State
from prefect.exceptions import PrefectException

from configs.errors import PartError, PromotionError, TillwiseError
from pipelines.flows.definitions import REFUSED
from pipelines.flows.deployments import flow_named


def run_now(name: str, until: date | None, *, force: bool) -> None:
    """Run a flow to its end; its log goes to standard error.

    Raises:
        ConfigError: there is no such flow, or it has no such parameter.
        PromotionError: the gate refused the new version; all else is done.
        PartError: Prefect's server went away.
        TillwiseError: what a stage raised.
    """
    chosen = flow_named(name)
    try:
        state = _state(chosen(**_given(until, force=force), return_state=True))
    except (httpx.HTTPError, PrefectException) as error:
        raise PartError(
            f"Prefect's server does not answer any more ({type(error).__name__}: {error}). What stages had finished is "
            "kept: see that the server runs, and run the same command again."
        ) from error
    if state.name == REFUSED:
        raise PromotionError(state.message or "The gate refused the new version.")
    if not state.is_completed():
        raise _error_of(state)


def _given(until: date | None, *, force: bool) -> dict[str, Any]:
    """Return the parameters that were given: not every flow has them."""
    return ({} if until is None else {"until": until}) | ({"force": True} if force else {})


def _error_of(state: State[Any]) -> BaseException:
    found = state.result(raise_on_failure=False)
    if isinstance(found, TillwiseError | KeyboardInterrupt):
        return found
    return found if isinstance(found, BaseException) else PartError(f"The flow ended as {state.name}: {state.message}")


def _state(found: Any) -> State[Any]:
    return cast("State[Any]", found)  # the library's types do not tell apart what the argument chooses
