"""Lets a request through or says why not: its key, the key's scope, and how often it has come."""

from __future__ import annotations

import ipaddress
from typing import Any

from litestar.exceptions import (
    NotAuthorizedException,
    NotFoundException,
    PermissionDeniedException,
    TooManyRequestsException,
)
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Send
from litestar.types import Scope as Connection

from configs.access import AccessSettings, KeySettings, Scope, burst_of, scopes_of
from configs.keys import KnownKeys
from serving.access.bucket import Bucket
from serving.access.credentials import bearer_of
from serving.access.limits import Limits

LIMIT = "tillwise_limit"
"""Key of the ASGI scope's state: (who is limited: "key" or "address", the bucket), if the request was counted."""

_NEEDS = "needs"
OPEN: dict[str, Any] = {_NEEDS: None}
"""For a route's `opt`: anybody may call it, as often as the limits say."""
IN_BODY: dict[str, Any] = {}
"""For a route's `opt`: its handler asks the gate itself, once it knows the body that may hold the key."""
_CARRIED: dict[Scope, str] = {
    "collect": "as the header Authorization: Bearer KEY, as the user name of HTTP basic authentication (empty "
    "password), or as `writeKey` in the body",
    "recommend": "as the header Authorization: Bearer KEY",
    "operate": "as the header Authorization: Bearer KEY",
}


def needs(scope: Scope) -> dict[str, Any]:
    """Return a route's `opt`: it takes a key with this scope, if some key has it."""
    return {_NEEDS: scope}


class Gate:
    """Judges requests by the settings.

    Attributes:
        refused: requests without a fit key. limited: requests beyond a limit. Both since the start.
    """

    def __init__(self, access: AccessSettings, limits: Limits) -> None:
        self.refused = self.limited = 0
        self._access, self._limits = access, limits
        self._known, self._closed = KnownKeys(key.key for key in access.keys), scopes_of(access.keys)

    @property
    def alone(self) -> int:
        """Requests let through while Redis did not answer."""
        return self._limits.alone

    async def close(self) -> None:
        """Release what the limits hold."""
        await self._limits.close()

    def require(self, connection: Connection, scope: Scope | None, told: str | None) -> None:
        """Check a request; in a time that tells nothing of the keys.

        Args:
            connection: the request's. scope: that the route needs, None if anybody may call it. told: its key.

        Raises:
            TooManyRequestsException: it comes too often. NotAuthorizedException: it carries no key that is known.
            PermissionDeniedException: its key lacks the scope. NotFoundException: there are no operators.
        """
        key = self._key_of(told)
        self._count(connection, key)
        self._permit(scope, key, told)

    def permit(self, scope: Scope, told: str | None) -> None:
        """Check one thing more of a request that is let in and counted; raises as `require` does."""
        self._permit(scope, self._key_of(told), told)

    def _key_of(self, told: str | None) -> KeySettings | None:
        place = None if told is None else self._known.find(told)
        return None if place is None else self._access.keys[place]

    def _permit(self, scope: Scope | None, key: KeySettings | None, told: str | None) -> None:
        if scope == "operate" and scope not in self._closed:
            raise NotFoundException("There is nothing here: no key of the setting access.keys has the scope operate.")
        if scope in self._closed and (key is None or scope not in key.scopes):
            self.refused += 1
            self._refuse(scope, key, told)

    def _refuse(self, scope: Scope, key: KeySettings | None, told: str | None) -> None:
        what = f"send one with the scope {scope} {_CARRIED[scope]} (setting access.keys)."
        if key is not None:
            raise PermissionDeniedException(f"The key named {key.name!r} may not {scope}: {what}")
        found = "no key" if told is None else "a key that is not known"
        # Not Basic: at that, browsers ask people for a password.
        challenge = {"WWW-Authenticate": 'Bearer realm="tillwise"'}
        raise NotAuthorizedException(f"The request carries {found}: {what}", headers=challenge)

    def _count(self, connection: Connection, key: KeySettings | None) -> None:
        """Count a request; of a key without a limit none, since it is trusted more than its address."""
        if key is not None and key.requests_per_second is not None:
            self._take(connection, "key", f"key:{key.name}", key.requests_per_second, key.burst)
        elif key is None and self._access.anonymous_requests_per_second is not None:
            rate, burst = self._access.anonymous_requests_per_second, self._access.anonymous_burst
            self._take(connection, "address", f"address:{_address_of(connection)}", rate, burst)

    def _take(self, connection: Connection, who: str, name: str, rate: float, burst: int | None) -> None:
        passed, bucket = self._limits.take(name, rate, burst_of(rate, burst))
        connection["state"][LIMIT] = (who, bucket)
        if not passed:
            self.limited += 1
            raise TooManyRequestsException(
                f"This {who} may send {rate:g} requests a second: wait {bucket.next_seconds} s.",
                headers={"Retry-After": str(bucket.next_seconds)},
            )


class Keeper(ASGIMiddleware):
    """Asks the gate for every route that names what it needs in its `opt`."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    async def handle(self, scope: Connection, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """See `ASGIMiddleware`."""
        wanted = scope["route_handler"].opt
        if _NEEDS in wanted and scope.get("method") != "OPTIONS":
            header = next((value for name, value in scope["headers"] if name == b"authorization"), None)
            told = None if header is None else bearer_of(header.decode("latin-1"))
            self._gate.require(scope, wanted[_NEEDS], told)
        await next_app(scope, receive, send)


def limit_headers(who: str, bucket: Bucket) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell a client how much it has left.

    Source: IETF draft-ietf-httpapi-ratelimit-headers-10.
    """
    policy = f'"{who}";q={bucket.burst};w={bucket.window_seconds}'
    left = f'"{who}";r={bucket.left};t={bucket.full_seconds}'
    return [(b"ratelimit-policy", policy.encode()), (b"ratelimit", left.encode())]


def _address_of(connection: Connection) -> str:
    """Return who calls: an address; of IPv6 the network of 64 bits, since a client has all of it."""
    client = connection.get("client")
    if client is None:
        return "unknown"
    try:
        address = ipaddress.ip_address(client[0])
    except ValueError:
        return str(client[0])[:64]
    if isinstance(address, ipaddress.IPv6Address):
        mapped = address.ipv4_mapped
        return str(mapped) if mapped else str(ipaddress.ip_network((int(address), 64), strict=False))
    return str(address)
