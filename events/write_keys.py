"""Who may send events: write keys, as Segment's clients carry them."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

import msgspec
from pydantic import SecretStr

from configs.keys import KnownKeys


class UnauthorizedError(Exception):
    """A request carries no valid write key; the message says what to do."""


class _Keyed(msgspec.Struct, rename="camel"):
    write_key: str | None = None


_keyed = msgspec.json.Decoder(_Keyed)


class WriteKeys:
    """The keys of which a request must carry one; without any key, everybody may send."""

    def __init__(self, keys: Iterable[SecretStr]) -> None:
        self._keys = KnownKeys(keys)

    def require(self, authorization: str | None, body: bytes) -> None:
        """Check a request, in a time that tells nothing of the keys.

        Args:
            authorization: the header: HTTP basic, the key as user name. It decides where it is given.
            body: JSON, whose `writeKey` decides where no header is given.

        Raises:
            UnauthorizedError: no valid key.
        """
        if not self._keys:
            return
        told = _key_of_body(body) if authorization is None else _user_of(authorization)
        if not self._keys.hold(told or "") or told is None:
            found = "no write key" if told is None else "a write key that is not known"
            raise UnauthorizedError(
                f"The request carries {found}: send one of events.write_keys as the user name of HTTP basic "
                "authentication (empty password), or as `writeKey` in the body."
            )


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
