"""Headers of answers: what browsers may do with our pages, which other pages may call us, what is left of a limit."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from litestar import Request
from litestar.config.cors import CORSConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.types import Message, Scope

from configs.access import AccessSettings
from serving.access.gate import LIMIT, limit_headers

Header = tuple[bytes, bytes]
POLICY = "tillwise_policy"
"""Key of the ASGI scope's state: a content security policy of this page's own."""
YEAR_SECONDS = 31_536_000
_PAGE = "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
_INLINE = re.compile(rb"<(script|style)\b[^>]*>(.+?)</\1>", re.DOTALL)


class HeaderWriter:
    """Adds headers to every answer, errors included, as it goes out."""

    def __init__(self, access: AccessSettings) -> None:
        self._always: list[Header] = [(b"x-content-type-options", b"nosniff")]
        if access.https:
            self._always.append((b"strict-transport-security", f"max-age={YEAR_SECONDS}".encode()))
        framed = " ".join(access.frame_ancestors) or "'none'"
        self._rest = f"; default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {framed}"

    async def __call__(self, message: Message, scope: Scope) -> None:
        """Write them; a hook that Litestar calls before it sends."""
        if message["type"] != "http.response.start":
            return
        headers: list[Header] = [*message["headers"], *self._always]
        if any(name == b"content-type" and value.startswith(b"text/html") for name, value in message["headers"]):
            policy = scope["state"].get(POLICY, _PAGE) + self._rest
            headers += [(b"content-security-policy", policy.encode()), (b"referrer-policy", b"same-origin")]
        limit = scope["state"].get(LIMIT)
        if limit is not None:
            headers += limit_headers(*limit)
        message["headers"] = headers


def cors_of(origins: Sequence[str]) -> CORSConfig | None:
    """Return what pages of other origins may do; None if no other origin may do anything."""
    if not origins:
        return None
    return CORSConfig(
        allow_origins=list(origins),
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Content-Encoding", "If-None-Match", "X-Deadline-Ms"],
        expose_headers=["ETag", "RateLimit", "RateLimit-Policy", "Retry-After"],
        max_age=600,
    )


class ApiPage(SwaggerRenderPlugin):
    """Swagger UI, whose page holds inline code: exactly that code is allowed, by its digest."""

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """See `SwaggerRenderPlugin`."""
        page = super().render(request, openapi_schema)
        digests: dict[bytes, str] = {b"script": "", b"style": ""}
        for what, text in _INLINE.findall(page):
            digests[what] += f" 'sha256-{base64.b64encode(hashlib.sha256(text).digest()).decode()}'"
        request.scope["state"][POLICY] = (
            f"script-src {self.js_url} {self.standalone_preset_js_url}{digests[b'script']}; "
            f"style-src {self.css_url}{digests[b'style']}; img-src 'self' data:; connect-src 'self'"
        )
        return page
