"""Aliases from an MLflow tracking server, over its REST API."""

from __future__ import annotations

import os
from typing import Any

import httpx

from training.following.base import AliasSource, Held, RegistryError

TIMEOUT_SECONDS = 10.0
_NO_ALIAS = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}
"""What the server answers for a model, or for an alias, that it does not have."""


class ServerAliases(AliasSource):
    """Asks a server; it takes the credentials that MLflow's own client does, from MLFLOW_TRACKING_* variables.

    Args:
        uri: http(s) address of the server. model: name of the registered model.
    """

    def __init__(self, uri: str, model: str) -> None:
        self._model = model
        user, token = os.environ.get("MLFLOW_TRACKING_USERNAME"), os.environ.get("MLFLOW_TRACKING_TOKEN")
        self._client = httpx.Client(
            base_url=uri,
            timeout=TIMEOUT_SECONDS,
            auth=(user, os.environ.get("MLFLOW_TRACKING_PASSWORD", "")) if user else None,
            headers={"Authorization": f"Bearer {token}"} if token and not user else {},
        )

    def held(self, alias: str) -> Held | None:
        """Return the version that has an alias; None if none has."""
        asked = {"name": self._model, "alias": alias}
        try:
            answer = self._client.get("/api/2.0/mlflow/registered-models/alias", params=asked)
            body: dict[str, Any] = answer.json()
            if body.get("error_code") in _NO_ALIAS:
                return None
            answer.raise_for_status()
            found = body["model_version"]
            package = next(tag["value"] for tag in found["tags"] if tag["key"] == "package")
            return Held(str(found["version"]), package, found["source"])
        except (httpx.HTTPError, ValueError, KeyError, StopIteration) as error:
            raise RegistryError(f"the registry's server does not answer ({type(error).__name__}: {error})") from None
