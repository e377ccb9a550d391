"""Settings with keys, for tests."""

from __future__ import annotations

from typing import Any

from configs import Settings, load_settings
from configs.access import AccessSettings, Scope


def key(name: str, *scopes: Scope, secret: str | None = None, **limit: float) -> dict[str, Any]:
    """Return one of `access.keys`; its secret is `SECRET of NAME` if not told."""
    return {"name": name, "key": secret or f"secret of {name}", "scopes": list(scopes)} | limit


def access(*keys: dict[str, Any], **others: Any) -> AccessSettings:
    """Return the section `access` with these keys."""
    return load_settings(access={"keys": list(keys)} | others).access


def with_access(settings: Settings, *keys: dict[str, Any], **others: Any) -> Settings:
    """Return settings with these keys."""
    return settings.model_copy(update={"access": access(*keys, **others)})


def bearer(name: str) -> dict[str, str]:
    """Return the header that carries the key of a name."""
    return {"Authorization": f"Bearer secret of {name}"}


def on_redis(settings: Settings, url: str) -> Settings:
    """Return settings with this Redis."""
    return settings.model_copy(update={"redis": settings.redis.model_copy(update={"url": url})})
