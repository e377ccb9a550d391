"""Turns what goes wrong into one JSON shape: {"error": {"field", "reason"}}. Never a stack trace."""

from __future__ import annotations

from typing import Any

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.status_codes import (
    HTTP_400_BAD_REQUEST,
    HTTP_401_UNAUTHORIZED,
    HTTP_403_FORBIDDEN,
    HTTP_408_REQUEST_TIMEOUT,
    HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    HTTP_415_UNSUPPORTED_MEDIA_TYPE,
    HTTP_500_INTERNAL_SERVER_ERROR,
    HTTP_503_SERVICE_UNAVAILABLE,
)
from litestar.types import ExceptionHandlersMap

from configs.errors import PartError
from events import InvalidEventError
from events.bodies import BodyTooLargeError, UnknownEncodingError
from serving.path import RequestError
from serving.schema import ErrorAnswer, Problem

log = structlog.get_logger()
AnyRequest = Request[Any, Any, Any]
ErrorResponse = Response[ErrorAnswer]
_FIELDS = {
    HTTP_400_BAD_REQUEST: "body",
    HTTP_401_UNAUTHORIZED: "authorization",
    HTTP_403_FORBIDDEN: "authorization",
    HTTP_408_REQUEST_TIMEOUT: "body",
    HTTP_503_SERVICE_UNAVAILABLE: "service",
}
"""What an answer's status is about, where no exception says so."""


def _answer(status: int, field: str, reason: str) -> ErrorResponse:
    return Response(ErrorAnswer(Problem(field, reason)), status_code=status, media_type=MediaType.JSON)


def _invalid(_: AnyRequest, error: Exception) -> ErrorResponse:
    if not isinstance(error, InvalidEventError | RequestError):
        raise error
    return _answer(HTTP_400_BAD_REQUEST, error.field, error.reason)


def _unavailable(_: AnyRequest, error: Exception) -> ErrorResponse:
    return _answer(HTTP_503_SERVICE_UNAVAILABLE, "service", str(error))


def _too_large(_: AnyRequest, error: Exception) -> ErrorResponse:
    return _answer(HTTP_413_REQUEST_ENTITY_TOO_LARGE, "body", str(error))


def _encoded(_: AnyRequest, error: Exception) -> ErrorResponse:
    return _answer(HTTP_415_UNSUPPORTED_MEDIA_TYPE, "content-encoding", str(error))


def _http(_: AnyRequest, error: Exception) -> ErrorResponse:
    if not isinstance(error, HTTPException):
        raise error
    if isinstance(error.extra, list) and error.extra and isinstance(error.extra[0], dict):
        first: dict[str, Any] = error.extra[0]
        field = str(first.get("key") or "body")
        # Litestar calls the whole body by the name of the handler's parameter.
        field = "body" if field == "data" else field
        return _answer(error.status_code, field, str(first.get("message", error.detail)))
    answer = _answer(error.status_code, _FIELDS.get(error.status_code, "request"), error.detail)
    answer.headers.update(error.headers or {})
    return answer


def _too_deep(_: AnyRequest, __: Exception) -> ErrorResponse:
    return _answer(HTTP_400_BAD_REQUEST, "body", "is nested too deeply")


def _unexpected(request: AnyRequest, error: Exception) -> ErrorResponse:
    log.error("unexpected error", path=request.url.path, exc_info=error)
    return _answer(HTTP_500_INTERNAL_SERVER_ERROR, "service", "An unexpected error happened; it is in the log.")


HANDLERS: ExceptionHandlersMap = {
    InvalidEventError: _invalid,
    RequestError: _invalid,
    BodyTooLargeError: _too_large,
    UnknownEncodingError: _encoded,
    PartError: _unavailable,
    HTTPException: _http,
    RecursionError: _too_deep,
    Exception: _unexpected,
}
