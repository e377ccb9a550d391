"""GET and DELETE /v1/profiles/{id}: for operators."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import unquote

from litestar import Request, delete, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import Parameter
from litestar.status_codes import HTTP_200_OK
from redis.exceptions import RedisError

from configs.errors import PartError
from events.contract import MAX_ID
from events.erasure import Receipt
from serving.access import needs
from serving.profiles import Profiles
from serving.responses import wrong
from serving.schema import Profile

AnyRequest = Request[Any, Any, Any]
PREFIX = "/v1/profiles/"
AGAIN = "Not everything could be erased; send this again."
ProfileId = Annotated[
    str, Parameter(min_length=2, max_length=MAX_ID + 1, description="of a session or a shopper; it may hold slashes")
]
"""Declared for the router and the description; `_id_in` reads it, since routers decode twice and tidy slashes away."""

_OPERATOR: dict[str, Any] = {
    "responses": wrong(
        *(400, 401, 403, 404, 408, 429, 503),
        s404="Nothing is known under this id, or no key has the scope operate",
        s503="Redis, broker or record does not answer; ask again later",
    ),
    "opt": needs("operate"),
    "security": [{"key": []}],
}


@get("/v1/profiles/{profile_id:path}", summary="What is known of a person", **_OPERATOR)
async def read_profile(
    request: AnyRequest,
    profile_id: ProfileId,
    profiles: NamedDependency[Profiles],
) -> Profile:
    """Return the live session, and the shopper with all ids together, in readable form."""
    try:
        found = await profiles.read(_id_in(request, profile_id))
    except (RedisError, OSError) as error:
        raise PartError(f"Redis does not answer: {error}") from None
    if found is None:
        raise NotFoundException("Nothing is known under this id.")
    return found


@delete("/v1/profiles/{profile_id:path}", status_code=HTTP_200_OK, summary="Erase a person everywhere", **_OPERATOR)
async def erase_profile(
    request: AnyRequest,
    profile_id: ProfileId,
    profiles: NamedDependency[Profiles],
) -> Receipt:
    """Erase a person under every id that is known to be theirs, and return the receipt; it is kept as well.

    It goes on if whoever asked stops waiting; to ask again is harmless.
    """
    try:
        return await profiles.erase(_id_in(request, profile_id))
    except (RedisError, OSError) as error:
        raise PartError(f"{AGAIN} Redis does not answer: {error}") from None
    except PartError as error:
        raise PartError(f"{AGAIN} {error}") from None


def _id_in(request: AnyRequest, routed: str) -> str:
    """Return the id of a request's path, decoded exactly once; as routed if the server does not tell the raw path."""
    raw: bytes = request.scope.get("raw_path") or b""
    _, found, after = raw.decode("latin-1").partition("?")[0].partition(PREFIX)
    told = unquote(after) if found else routed[1:]
    if not 0 < len(told) <= MAX_ID:
        raise NotFoundException("Nothing is known under this id.")
    return told
