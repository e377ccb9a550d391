"""Asking a server of ours whether it is well, many times a second."""

from __future__ import annotations

import http.client
from http import HTTPStatus
from urllib.parse import urlsplit


def says_ok(url: str, seconds: float) -> bool:
    """Return whether an http URL answers a GET with status 200 within so many seconds.

    With the standard library's client: httpx loads certificates for each client it makes, which at every tick of a
    start takes a good part of the core that the server needs to come up.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
