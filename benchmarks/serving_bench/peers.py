"""Our service beside MLflow's own scoring server and a tutorial-style service, on the same candidates and model."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.serving_bench.cases import Candidates, requests_of
from benchmarks.serving_bench.load import Load, Offer, in_turn, steady
from benchmarks.wire import request
from configs import Settings
from features.definitions import COLUMNS
from pipelines.parts.command import CommandPart
from pipelines.parts.own import READY_SECONDS, Service, running
from pipelines.parts.ports import free_port
from pipelines.replay.plan import PlannedSession
from training.package import RANKER

RATE = 5.0
"""Requests a second of the open loop: low enough for the slowest."""

CONNECTIONS = 4

INCLUDED = """ours      session and shopper from Redis, finding the candidates, all features, trees and network, reasons
mlflow    the finished feature matrix of the same candidates as JSON in, scores of the same trees out, nothing else
tutorial  Feast reads shopper and candidates from the same Redis, pandas, the same trees; candidates are told, and the
          columns that need the cart or the shopper's purchases stay missing
"""
"""What each one's time includes."""


@dataclass(frozen=True)
class Side:
    """One service: answering `RATE` requests a second, and all it can over `CONNECTIONS` connections."""

    slow: Load
    most: Load


def measure(
    service: Service, plans: Sequence[PlannedSession], candidates: Sequence[Candidates], seconds: float
) -> dict[str, Side]:
    """Return the figures by service, ours first.

    Args:
        service: ours, up. plans: sessions that its Redis knows. candidates: of the first of them, as it ranks them.
    """
    settings = service.settings
    assert settings.serving.package is not None
    model = settings.serving.package / RANKER
    with tempfile.TemporaryDirectory() as name:
        _save_for_mlflow(model, Path(name) / "mlflow")
        with (
            _peer("mlflow", _MLFLOW, Path(name) / "mlflow", settings) as mlflow,
            _peer("tutorial", _TUTORIAL, model, settings) as tutorial,
        ):
            asked = {
                "ours": (service.port, requests_of(plans[: len(candidates)])),
                "mlflow": (mlflow, [_invocation(of_request) for of_request in candidates]),
                "tutorial": (tutorial, [_question(of_request) for of_request in candidates]),
            }
            slow = in_turn([steady(*side, RATE) for side in asked.values()], seconds)
            most = in_turn([Offer(*side, connections=CONNECTIONS) for side in asked.values()], seconds)
    return {name: Side(*loads) for name, *loads in zip(asked, slow, most, strict=True)}


@contextmanager
def _peer(name: str, command: Sequence[str], model: Path, settings: Settings) -> Iterator[int]:
    """Run a peer on a model; yield its port once it answers."""
    port = free_port()
    filled = [word.format(model=model, port=port) for word in command]
    url = f"http://127.0.0.1:{port}/ping"
    part = CommandPart(
        f"bench-{name}", filled, settings, is_ready=lambda _: answers_with_success(url), deadline=READY_SECONDS
    )
    with running(part):
        yield port


_MLFLOW = (
    *("env", f"PATH={Path(sys.executable).parent}:{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY=true"),
    *(sys.executable, "-m", "mlflow", "models", "serve", "-m", "{model}"),
    *("--env-manager", "local", "--host", "127.0.0.1", "--port", "{port}", "--workers", "1"),
)
_TUTORIAL = (sys.executable, "-m", "benchmarks.serving_bench.tutorial", "{port}", "{model}")


def _save_for_mlflow(model: Path, folder: Path) -> None:
    import lightgbm as lgb
    import mlflow

    mlflow.lightgbm.save_model(lgb.Booster(model_file=model), folder)


def _invocation(asked: Candidates) -> bytes:
    table = {"columns": list(COLUMNS), "data": asked.features.tolist()}
    return request("POST", "/invocations", json.dumps({"dataframe_split": table}).encode())


def _question(asked: Candidates) -> bytes:
    body = {"shopper_id": asked.shopper_id, "candidates": asked.products}
    return request("POST", "/recommend", json.dumps(body).encode())


def answers_with_success(url: str) -> bool:
    """Return whether GET of an address is answered with success."""
    try:
        return httpx.get(url, timeout=2).is_success
    except httpx.HTTPError:
        return False
