"""The parameters of a request: a GraphQL document, and what it is executed with.

One decoder for all transports. It takes JSON as RFC 8259 has it: valid UTF-8, no NaN, no number
that is none, no lone surrogate; and every member has its type, or else none of it is taken.
"""

from __future__ import annotations

import codecs
from http import HTTPStatus
from typing import Any, Final

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest

from gql_cluster.transport.refusal import LIMIT_EXCEEDED, Refusal


class Parameters(msgspec.Struct, frozen=True, rename="camel"):
    """A request as every transport gets it; members that are not known are left alone."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None


MALFORMED: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that are not what it takes."""

_decode = msgspec.json.Decoder(Parameters).decode
_decode_map = msgspec.json.Decoder(dict[str, Any] | None).decode
_MAX_URL = 32 * 1024
_UTF8 = {"utf-8", "utf8"}


def of_body(request: HttpRequest) -> Parameters:
    """Return the parameters in the body of a `POST`. Raises `Refusal`."""
    if request.content_type != "application/json":
        raise _unsupported("The content type has to be application/json.")
    if str((request.content_params or {}).get("charset", "utf-8")).lower() not in _UTF8:
        raise _unsupported("The charset of the body has to be utf-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "The body must not be encoded.",
            headers={"Accept-Encoding": "identity"},
        )
    try:
        body = request.body
    except RequestDataTooBig as exc:
        raise too_large() from exc
    text = body.removeprefix(codecs.BOM_UTF8)
    try:
        return _decode(text)
    except msgspec.ValidationError as exc:
        if text.lstrip()[:1] == b"[":
            raise _malformed("Batches are not supported: send one operation a request.") from exc
        raise _malformed(f"The body is no GraphQL request: {exc}.") from exc
    except MALFORMED as exc:
        raise _malformed("The body is not valid JSON in UTF-8.") from exc


def of_url(request: HttpRequest) -> Parameters:
    """Return the parameters in the URL of a `GET`; an empty one is none. Raises `Refusal`."""
    if len(request.META.get("QUERY_STRING", "")) > _MAX_URL:
        message = "The URL is too long: send a POST."
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, message, code=LIMIT_EXCEEDED)
    given = request.GET.dict()
    if not given.get("query"):
        raise _malformed("The request has no “query”.")
    return Parameters(
        query=given["query"],
        variables=_map(given, "variables"),
        operation_name=given.get("operationName") or None,
        extensions=_map(given, "extensions"),
    )


def too_large() -> Refusal:
    """Return the refusal of a body that is larger than it may be."""
    message = "The request body is too large."
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        message,
        code=LIMIT_EXCEEDED,
        headers={"Connection": "close"},
    )


def _map(given: dict[str, str], name: str) -> dict[str, Any] | None:
    if not given.get(name):
        return None
    try:
        found: dict[str, Any] | None = _decode_map(given[name])
    except MALFORMED as exc:
        raise _malformed(f"“{name}” has to be a JSON object.") from exc
    return found


def _malformed(message: str) -> Refusal:
    return Refusal(HTTPStatus.BAD_REQUEST, message)


def _unsupported(message: str) -> Refusal:
    return Refusal(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, message, headers={"Accept": "application/json"}
    )
