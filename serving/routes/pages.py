"""The demo checkout page: static files, which talk to this service over HTTP only."""

from __future__ import annotations

from pathlib import Path

from litestar import get
from litestar.response import File
from litestar.static_files import create_static_files_router

STATIC = Path(__file__).resolve().parents[2] / "storefront" / "static"


@get("/", include_in_schema=False, sync_to_thread=False)
def checkout_page() -> File:
    """Return the page."""
    return File(STATIC / "index.html", media_type="text/html", content_disposition_type="inline")


static_files = create_static_files_router(path="/static", directories=[STATIC], include_in_schema=False)
