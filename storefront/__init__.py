"""The demo checkout page: plain HTML, CSS and JavaScript that talk to the service over HTTP only.

Comes in: a shopper's clicks. Goes out: Segment-shaped events and recommendation requests. Served at `/` by
`serving.routes.pages`; a shop replaces it by its own page.
"""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
"""Folder of the page's files."""

__all__ = ["STATIC"]
