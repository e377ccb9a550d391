"""What a run leaves behind: a table of its stages as an artifact in Prefect, and with the version in MLflow."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from prefect import get_run_logger
from prefect.artifacts import create_link_artifact, create_markdown_artifact
from prefect.runtime import flow_run

from configs import Settings
from configs.errors import PromotionError, TillwiseError
from pipelines.build import Outcome
from pipelines.display import PlainDisplay, told
from pipelines.records import StageRecord
from pipelines.stages import Stage

HEAD = ("stage", "", "seconds", "peak MiB", "rows in", "rows out", "what it says")


class FlowDisplay(PlainDisplay):
    """Tells the run's log, and keeps what was done.

    Attributes:
        outcomes: by stage, in the order in which they were done. refusal: what a gate said against the new version.
    """

    def __init__(self) -> None:
        super().__init__(get_run_logger().info)
        self.outcomes: dict[str, Outcome] = {}
        self.refusal: str | None = None

    def reused(self, stage: Stage, record: StageRecord) -> None:
        """Say that a stage's result still holds."""
        super().reused(stage, record)
        self.outcomes[stage.name] = Outcome(record, ran=False)

    def finished(self, stage: Stage, record: StageRecord) -> None:
        """Say what a stage read, wrote and rejected."""
        super().finished(stage, record)
        self.outcomes[stage.name] = Outcome(record, ran=True)


@contextlib.contextmanager
def reported(flow: str, settings: Settings) -> Iterator[FlowDisplay]:
    """Yield the display of a run; when the block ends, however it does, leave the run's report.

    A gate's refusal is a result: it ends the block, not the run.
    """
    display, verdict = FlowDisplay(), "done"
    try:
        yield display
    except PromotionError as refusal:
        display.refusal, verdict = str(refusal), f"refused: {refusal}"
        get_run_logger().warning(verdict)
    except TillwiseError as error:
        verdict = f"failed: {error}"
        raise
    finally:
        _leave(flow, settings, display, verdict)


def table(outcomes: dict[str, Outcome], verdict: str) -> str:
    """Return the stages of a run as a Markdown table below its verdict."""
    rows = [HEAD, ("---",) * len(HEAD), *(_row(name, outcome) for name, outcome in outcomes.items())]
    return "\n".join([f"**{verdict}**", "", *(f"| {' | '.join(_cell(text) for text in row)} |" for row in rows)])


def _row(name: str, outcome: Outcome) -> tuple[str, ...]:
    record, report = outcome.record, outcome.record.report
    said = "; ".join([told(report), *report.notes])
    how = "ran" if outcome.ran else f"reused from {record.finished_at}"
    rows = (f"{sum(counts.values()):,}" for counts in (report.read, report.wrote))
    return (name, how, f"{record.seconds:.1f}", f"{record.peak_mb:,.0f}", *rows, said)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _leave(flow: str, settings: Settings, display: FlowDisplay, verdict: str) -> None:
    """Leave the report in both places. It is told in the log if that fails: what was built holds all the same."""
    log = get_run_logger()
    text = table(display.outcomes, verdict)
    plots = sorted((settings.work.reports / "plots").glob("*.png")) if "evaluate" in display.outcomes else []
    links = "".join(f"\n- [{path.stem}]({path.as_uri()})" for path in plots)
    try:
        create_markdown_artifact(text + (f"\n\nPlots of the evaluation:{links}" if links else ""), key=flow)
        if plots:
            create_link_artifact(
                settings.work.reports.as_uri(), "evaluation, model card and plots", key=f"{flow}-plots"
            )
    except Exception as error:
        log.warning(f"The run's artifact could not be left in Prefect ({error}).")
    registered = display.outcomes.get("register")
    if registered is not None:
        try:
            _to_registry(flow, settings, str(registered.record.report.metrics["version"]), text, verdict)
        except Exception as error:
            log.warning(f"The run's table could not be left in the registry ({error}).")


def _to_registry(flow: str, settings: Settings, version: str, text: str, verdict: str) -> None:
    from training.registry import registry_client, version_of

    client = registry_client(settings)
    run: Any = version_of(client, settings, version).run_id
    client.log_text(run, text, f"flows/{flow}.md")
    client.set_tag(run, f"flow.{flow}", f"{flow_run.name} ({flow_run.id}): {verdict}"[:5000])
