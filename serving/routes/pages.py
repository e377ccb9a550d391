"""The demo checkout page: static files, which talk to this service over HTTP only."""

from __future__ import annotations

from functools import cache
from html import escape
from pathlib import Path

from litestar import MediaType, get
from litestar.di import NamedDependency
from litestar.static_files import create_static_files_router

from configs.settings import ServingSettings

STATIC = Path(__file__).resolve().parents[2] / "storefront" / "static"
NO_KEY = '<meta name="write-key" content="">'
"""Where the page looks for the write key of its events."""


@get("/", include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=False)
def checkout_page(limits: NamedDependency[ServingSettings]) -> str:
    """Return the page, with the write key in it that the settings allow it to have."""
    key = "" if limits.page_write_key is None else limits.page_write_key.get_secret_value()
    return _page().replace(NO_KEY, NO_KEY.replace('""', f'"{escape(key)}"'))


@cache
def _page() -> str:
    return (STATIC / "index.html").read_text(encoding="utf-8")


static_files = create_static_files_router(path="/static", directories=[STATIC], include_in_schema=False)
