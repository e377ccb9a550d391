"""The demo checkout page: static files, which talk to this service over HTTP only."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from litestar import MediaType, Request, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import InternalServerException
from litestar.static_files import create_static_files_router
from litestar.status_codes import HTTP_404_NOT_FOUND

from configs.access import AccessSettings
from serving.schema import ErrorAnswer, Problem

STATIC = Path(__file__).resolve().parents[2] / "storefront" / "static"
NO_KEY = '<meta name="access-key" content="">'
"""Where the page looks for the key that it sends."""


@get("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def checkout_page(access: NamedDependency[AccessSettings]) -> str:
    """Return the page, with the key in it that the settings allow it to have."""
    page_key = access.named(access.page_key)
    key = "" if page_key is None else page_key.key.get_secret_value()
    return _page().replace(NO_KEY, NO_KEY.replace('""', f'"{escape(key)}"'))


@cache
def _page() -> str:
    return (STATIC / "index.html").read_text(encoding="utf-8")


def _absent(_: Request[Any, Any, Any], __: Exception) -> Response[ErrorAnswer]:
    """Answer for a name that no file can have: too long, with a null byte, below a file."""
    return Response(ErrorAnswer(Problem("request", "There is no such file.")), status_code=HTTP_404_NOT_FOUND)


static_files = create_static_files_router(
    path="/static",
    directories=[STATIC],
    include_in_schema=False,
    exception_handlers={ValueError: _absent, InternalServerException: _absent},
)
