"""Running the suites: which rows break which expectation.

This and `suites` are the only modules that import Great Expectations (seconds, and hundreds of megabytes).
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import great_expectations as gx
import pandas as pd
from great_expectations.data_context.types.base import ProgressBarsConfig

from configs.errors import DataError
from features.data.suites import suite_for

_EVERY_FAILING_ROW = {
    "result_format": "COMPLETE",
    "include_unexpected_rows": False,
    "return_unexpected_index_query": False,
}


class Validator:
    """Great Expectations with a context that lives in memory and writes nothing."""

    def __init__(self, now: datetime) -> None:
        """Set up the context; `now` is when this is, for expectations about time."""
        self._now = now
        self._context = gx.get_context(mode="ephemeral")
        self._context.enable_analytics(False)
        self._context.variables.progress_bars = ProgressBarsConfig(globally=False)
        self._source = self._context.data_sources.add_pandas("ingest")

    def failures(self, table: str, frame: pd.DataFrame) -> pd.DataFrame:
        """Return what is wrong in `frame`, one row for each row and expectation it breaks.

        Args:
            table: name of the contract table.
            frame: its columns after mapping.

        Returns:
            Columns row (label in `frame`'s index), rank (precedence of the expectation, 0 first), expectation,
            column, reason; sorted by row, then rank.

        Raises:
            DataError: an expectation could not be evaluated.
        """
        asset = self._source.add_dataframe_asset(table)
        definition = asset.add_batch_definition_whole_dataframe("all rows")
        batch = definition.get_batch(batch_parameters={"dataframe": frame})
        outcome = batch.validate(suite_for(table, self._now), result_format=_EVERY_FAILING_ROW)
        broken = [_rows(table, result) for result in outcome.results if not result.success]
        columns = ["row", "rank", "expectation", "column", "reason"]
        rows = pd.concat(broken) if broken else pd.DataFrame(columns=columns)
        return rows[columns].sort_values(["row", "rank"], ignore_index=True)


def _rows(table: str, result: Any) -> pd.DataFrame:
    config = result.expectation_config
    if result.exception_info.get("raised_exception", False) or "unexpected_index_list" not in result.result:
        raise DataError(
            f"{table}.{config.meta['column']}: {config.type} could not be evaluated: {result.exception_info}."
        )
    return pd.DataFrame({"row": result.result["unexpected_index_list"]}).assign(expectation=config.type, **config.meta)
