"""A registry of three versions, made once a test run, and MLflow's server on a copy of it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.serving import make_server

from configs import Settings
from tests.support.gate import audited, measuring_nothing
from tests.training.promotion.support import registered
from training.package import ModelPackage


@pytest.fixture(scope="session")
def filled(built_shop: Settings, package: ModelPackage, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A work folder whose registry holds three versions, none of them promoted; not to be changed."""
    home = tmp_path_factory.mktemp("registry")
    shutil.copytree(built_shop.work.model, home / "model")
    shutil.copytree(built_shop.work.reports, home / "reports")
    settings = built_shop.model_copy(update={"home": home})
    audited(settings)
    with measuring_nothing():
        registered(settings, package, 3)
    return settings


@pytest.fixture
def shop(filled: Settings, tmp_path: Path) -> Settings:
    """A copy of it. Its packages lie where they were."""
    shutil.copytree(filled.work.root, tmp_path, dirs_exist_ok=True)
    return filled.model_copy(update={"home": tmp_path})


@pytest.fixture
def server(shop: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """MLflow's own tracking server on the shop's registry, in a thread; its URL."""
    from mlflow.server import ARTIFACTS_DESTINATION_ENV_VAR, BACKEND_STORE_URI_ENV_VAR, app

    database = f"sqlite:///{shop.work.registry / 'mlflow.db'}"
    monkeypatch.setenv(BACKEND_STORE_URI_ENV_VAR, database)
    monkeypatch.setenv(ARTIFACTS_DESTINATION_ENV_VAR, str(tmp_path / "artifacts"))
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
