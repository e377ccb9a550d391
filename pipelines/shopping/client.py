"""The way to the running service: one client with the right keys, which is only handed out if somebody answers."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from functools import partial

import httpx

from configs import Settings
from configs.access import AccessSettings
from configs.errors import PartError

RECOMMENDATIONS, IDENTIFY, BATCH = "/v1/recommendations", "/v1/identify", "/v1/batch"
REQUEST_TIMEOUT_SECONDS = 10.0


@contextlib.asynccontextmanager
async def service_client(settings: Settings, connections: int) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the service, which is ready.

    Args:
        settings: where the service is, and the keys that there are. connections: most at a time.

    Raises:
        PartError: the service does not answer, or is not ready.
    """
    async with httpx.AsyncClient(
        base_url=settings.service_url,
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        timeout=REQUEST_TIMEOUT_SECONDS,
        auth=partial(with_key, settings.access),
    ) as http:
        await _require_service(http, settings)
        yield http


def with_key(access: AccessSettings, request: httpx.Request) -> httpx.Request:
    """Return a request with a key that may do what it asks for, if there is one."""
    key = access.key_for("recommend" if request.url.path == RECOMMENDATIONS else "collect")
    if key is not None:
        request.headers["Authorization"] = f"Bearer {key.get_secret_value()}"
    return request


async def _require_service(http: httpx.AsyncClient, settings: Settings) -> None:
    try:
        response = await http.get("/readyz")
    except httpx.HTTPError as error:
        raise PartError(
            f"The service does not answer at {settings.service_url} ({error}): start it with `tillwise up`."
        ) from None
    if response.status_code != httpx.codes.OK:
        raise PartError(
            f"The service at {settings.service_url} is not ready (it answers {response.status_code} to /readyz): "
            "see `tillwise status`."
        )
