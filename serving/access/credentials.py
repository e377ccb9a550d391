"""The keys that requests carry: in the header Authorization, or in the body, as Segment's clients send them."""

from __future__ import annotations

import base64
import binascii

import msgspec


class _Keyed(msgspec.Struct, rename="camel"):
    write_key: str | None = None


_keyed = msgspec.json.Decoder(_Keyed)


def bearer_of(authorization: str | None) -> str | None:
    """Return the key of a header `Bearer KEY`, None if it holds none."""
    scheme, _, told = (authorization or "").partition(" ")
    return told.strip() or None if scheme.lower() == "bearer" else None


def collecting_key(authorization: str | None, body: bytes) -> str | None:
    """Return the key of a tracking call, None if it carries none.

    Args:
        authorization: the header: Bearer, or HTTP basic with the key as user name. It decides where it is given.
        body: JSON, whose `writeKey` decides where no header is given.
    """
    if authorization is None:
        return _key_of_body(body)
    return bearer_of(authorization) or _user_of(authorization)


def _user_of(authorization: str) -> str | None:
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[0]
    except (binascii.Error, ValueError):
        return None


def _key_of_body(body: bytes) -> str | None:
    try:
        return _keyed.decode(body).write_key
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
