"""The one table that says where each exception goes.

What a client can act on becomes data, in `errors` of a payload. All else is a GraphQL error
with a `code` in its extensions. The engine's own codes come first; what graphql-core refuses
by itself gets the names that Apollo gave: `GRAPHQL_PARSE_FAILED`, `GRAPHQL_VALIDATION_FAILED`,
`BAD_USER_INPUT`, `OPERATION_RESOLUTION_FAILURE`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from graphql import GraphQLError, GraphQLSyntaxError
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from gql_cluster import logs
from gql_cluster.api.errors import PAYLOAD_CODES
from gql_cluster.domain.error import (
    ClusterError,
    DatabaseUnavailableError,
    ErrorCode,
    StoreUnavailableError,
)

logger = logging.getLogger("gql_cluster")


def is_data(error: ClusterError) -> bool:
    """Tell whether an error goes into a payload's `errors`."""
    return error.code.name in PAYLOAD_CODES


@dataclass(frozen=True, slots=True)
class _Failure:
    """A GraphQL error: its code, what it says, and at which level it is logged, if at all."""

    code: str
    message: str
    level: int | None = None


def _failure(exc: Exception) -> _Failure:
    match exc:
        case StoreUnavailableError():
            message = "The drafts can't be reached now. Try again."
            failure = _Failure(ErrorCode.STORE_UNAVAILABLE.value, message, logging.WARNING)
        case DatabaseUnavailableError() | OperationalError() | InterfaceError():
            message = "The database can't be reached now. Try again."
            failure = _Failure(ErrorCode.DATABASE_UNAVAILABLE.value, message, logging.WARNING)
        case ClusterError():
            failure = _Failure(exc.code.value, str(exc))
        case PermissionDenied():
            failure = _Failure(ErrorCode.FORBIDDEN.value, str(exc) or "That is not permitted.")
        case MissingQueryError():
            failure = _Failure("BAD_REQUEST", "The request has no “query”.")
        case CannotGetOperationTypeError():
            failure = _Failure("OPERATION_RESOLUTION_FAILURE", exc.as_http_error_reason())
        case InvalidOperationTypeError():
            message = f"A {exc.operation_type.value} is not allowed here."
            failure = _Failure("OPERATION_RESOLUTION_FAILURE", message)
        case _:
            failure = _Failure("INTERNAL", "Something went wrong on the server.", logging.ERROR)
    return failure


def coded(error: GraphQLError) -> GraphQLError:
    """Return the error as a client may see it, with a code; log what is the server's fault.

    An error that has a code already is returned as it is. So is one that a resolver raised as
    a `GraphQLError`: that is how it speaks to the client.
    """
    if "code" in (error.extensions or {}):
        return error
    if isinstance(error, GraphQLSyntaxError):
        # No longer a GraphQLSyntaxError: for that one, Strawberry closes the whole WebSocket.
        return _with(error, "GRAPHQL_PARSE_FAILED", error.message)
    if error.path is None and error.nodes:
        return _with(error, "BAD_USER_INPUT", error.message)  # a variable
    origin = _origin(error)
    cause = origin.original_error
    if cause is not None:
        failure = _failure(cause)
        return _logged(error, failure, cause)
    if error.path is None or origin.nodes:
        return _with(error, "BAD_USER_INPUT", error.message)  # a variable, or an argument
    return error


def _origin(error: GraphQLError) -> GraphQLError:
    """Return the innermost error that is graphql-core's own, or raised as such by a resolver."""
    while isinstance(error.original_error, GraphQLError):
        error = error.original_error
    return error


def _logged(error: GraphQLError, failure: _Failure, cause: Exception) -> GraphQLError:
    """Return what a client may know; of what nobody foresaw an id, by which the log says more."""
    told = _with(error, failure.code, failure.message)
    extra = {}
    if failure.level == logging.ERROR:
        extra = {"error_id": logs.new_id()}
        told.extensions = {**(told.extensions or {}), "id": extra["error_id"]}
    if failure.level is not None:
        text = "%s at %s"
        logger.log(failure.level, text, failure.code, error.path, exc_info=cause, extra=extra)
    return told


def _with(error: GraphQLError, code: str, message: str) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), "code": code},
    )
