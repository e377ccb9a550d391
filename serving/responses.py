"""What routes say of their errors in the API's description; all have one shape."""

from __future__ import annotations

from litestar.openapi.datastructures import ResponseSpec

from serving.schema import ErrorAnswer

_WRONG = {
    400: "The request breaks the contract; the body says where",
    401: "The request carries no key that is known, and one is asked for (setting access.keys)",
    403: "The key that it carries lacks the scope",
    404: "Nothing is known under this id",
    408: "The body did not arrive in time",
    413: "The body is too large",
    415: "The body is compressed in a way that is not taken",
    429: "Too many requests; Retry-After says when to try again",
    503: "A part that this needs does not answer; try again later",
}

unchanged = {304: ResponseSpec(None, description="What you have is what there is: If-None-Match named its ETag")}


def wrong(*statuses: int, **own: str) -> dict[int, ResponseSpec]:
    """Return the description of these statuses; `own`, as `s404="…"`, says something else of one."""
    said = _WRONG | {int(name[1:]): text for name, text in own.items()}
    return {status: ResponseSpec(ErrorAnswer, description=said[status]) for status in statuses}
