"""GraphQL over HTTP, through Django's middleware.

By the specification of that name (https://graphql.github.io/graphql-over-http/draft/), and where
`text/event-stream` is asked for, by the protocol GraphQL over SSE.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cross_web import HTTPException
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from graphql import GraphQLError, get_operation_ast, parse
from graphql import OperationType as Kind
from strawberry.django.views import AsyncGraphQLView
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.execution import PreExecutionError
from strawberry.types.graphql import OperationType

from gql_cluster import conf
from gql_cluster.api.failures import coded
from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.transport import connections, parameters
from gql_cluster.transport.caller import browser_session, caller_by_http
from gql_cluster.transport.encoding import encode
from gql_cluster.transport.eventstream import EventStream, events
from gql_cluster.transport.media import MediaType, negotiated
from gql_cluster.transport.origins import require_own_page
from gql_cluster.transport.parameters import Parameters
from gql_cluster.transport.refusal import LIMIT_EXCEEDED, Refusal
from gql_cluster.transport.sockets import (
    TooManySocketsError,
    address_of,
    counted,
    session_key,
)

if TYPE_CHECKING:
    from gql_cluster.service.caller import Caller

_RETRY = {"Retry-After": "5"}
_TOKENS_OF_A_URL = 10_000


@dataclass(slots=True)
class HttpContext:
    """The context of an operation: `info.context`."""

    request: HttpRequest
    response: Any
    caller: Caller

    def __getitem__(self, name: str) -> Any:
        """Give the same by item as by attribute, as Strawberry's own contexts do."""
        return getattr(self, name)


# Django's check wants a token from a form; what a browser does with cookies is checked by where
# it comes from, see `origins`.
@method_decorator(csrf_exempt, name="dispatch")
class GraphQLView(AsyncGraphQLView[HttpContext, None]):
    """Answers `POST`, and `GET` for queries; GraphiQL where a browser asks."""

    async def get_context(self, request: HttpRequest, response: Any) -> HttpContext:
        """Tell who calls."""
        caller = await caller_by_http(request)
        return HttpContext(request=request, response=response, caller=caller)

    async def dispatch(  # type: ignore[override]  # an async view is one, too
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        """Answer; what can't even be executed gets an error with a code, too."""
        del args, kwargs
        media = MediaType.JSON
        try:
            if request.method in {"GET", "POST"} and self._is_for_a_person(request):
                page: HttpResponseBase = await self.render_graphql_ide(request)
                return page
            media = negotiated(request.headers.get("Accept"))
            return await self._answer(request, media)
        except Refusal as exc:
            refusal = exc
        except HTTPException as exc:
            refusal = Refusal(HTTPStatus(exc.status_code), exc.reason)
        except SuspiciousOperation as exc:  # too many parameters, and the like
            refusal = Refusal(HTTPStatus.BAD_REQUEST, str(exc))
        except UnauthenticatedError as exc:
            refusal = Refusal(
                HTTPStatus.UNAUTHORIZED,
                str(exc),
                code=exc.code.value,
                headers={"WWW-Authenticate": "Bearer"},
            )
        except DatabaseUnavailableError as exc:
            refusal = Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE, str(exc), code=exc.code.value, headers=_RETRY
            )
        return _refused(refusal, media)

    async def render_graphql_ide(self, request: HttpRequest) -> Any:
        """Show GraphiQL, in a session, so that it can edit at once."""
        session = getattr(request, "session", None)
        if session is not None:
            await browser_session(session)
        return await super().render_graphql_ide(request)

    def _is_for_a_person(self, request: HttpRequest) -> bool:
        adapter: Any = self.request_adapter_class(request)
        return bool(self.graphql_ide) and self.should_render_graphql_ide(adapter)

    async def _answer(self, request: HttpRequest, media: MediaType) -> HttpResponseBase:
        given = self._parameters(request)
        require_own_page(request)
        if media is MediaType.EVENTS:
            connections.begin()
        sub_response = await self.get_sub_response(request)
        context = await self.get_context(request, response=sub_response)
        if media is MediaType.EVENTS:
            return await self._stream(request, given, context)
        result = await self._executed(request, given, context)
        response = self.create_response(_response_of(result), sub_response)
        response["Content-Type"] = media.content_type
        patch_vary_headers(response, ("Accept",))
        if sub_response.status_code is None and media is MediaType.GRAPHQL:
            response.status_code = _status_of(result)
        return response

    def _parameters(self, request: HttpRequest) -> Parameters:
        if request.method == "POST":
            return parameters.of_body(request)
        allow = "GET, POST" if self.allow_queries_via_get else "POST"
        if request.method == "GET" and self.allow_queries_via_get:
            return parameters.of_url(request)
        raise _not_allowed(f"Only {allow} can be answered.", allow)

    async def _executed(
        self, request: HttpRequest, given: Parameters, context: HttpContext
    ) -> ExecutionResult:
        """Execute a query or a mutation. Raises `Refusal` for what HTTP has another way for."""
        try:
            result: ExecutionResult = await self.schema.execute(
                given.query,
                variable_values=given.variables,
                context_value=context,
                operation_name=given.operation_name,
                allowed_operation_types=_allowed(request),
                operation_extensions=given.extensions,
            )
        except MissingQueryError as exc:
            raise Refusal(HTTPStatus.BAD_REQUEST, "The request has no “query”.") from exc
        except CannotGetOperationTypeError as exc:
            error = coded(GraphQLError(exc.as_http_error_reason(), original_error=exc))
            return ExecutionResult(data=None, errors=[error])
        except InvalidOperationTypeError as exc:
            if exc.operation_type is OperationType.MUTATION:
                raise _not_allowed("A mutation has to be sent by POST.", "POST") from exc
            raise Refusal(
                HTTPStatus.BAD_REQUEST,
                "A subscription has many results: accept text/event-stream, or use a WebSocket.",
                code="OPERATION_RESOLUTION_FAILURE",
            ) from exc
        return result

    async def _stream(
        self, request: HttpRequest, given: Parameters, context: HttpContext
    ) -> HttpResponseBase:
        """Execute any operation as a stream of events."""
        allowed = _allowed(request)
        if OperationType.MUTATION not in allowed and _is_mutation(given):
            raise _not_allowed("A mutation has to be sent by POST.", "POST")
        settings = conf.load()
        held = ExitStack()
        try:
            session = session_key(context.caller.session)
            held.enter_context(counted(session, settings.MAX_SOCKETS_PER_SESSION))
            address = address_of(getattr(request, "scope", {}).get("client"))
            held.enter_context(counted(address, settings.MAX_SOCKETS_PER_ADDRESS))
        except TooManySocketsError as exc:
            held.close()
            raise Refusal(
                HTTPStatus.TOO_MANY_REQUESTS,
                "Too many streams and sockets are open.",
                code=LIMIT_EXCEEDED,
                headers=_RETRY,
            ) from exc
        # Its middleware would compress each event by itself, which few clients can read.
        request.META.pop("HTTP_ACCEPT_ENCODING", None)
        results: Any = await self.schema.stream(
            given.query,
            variable_values=given.variables,
            context_value=context,
            operation_name=given.operation_name,
            operation_extensions=given.extensions,
            allowed_operation_types=allowed,
        )
        chunks = events(
            results,
            lambda result: encode(_response_of(result)),
            keep_alive=settings.KEEP_ALIVE,
            patience=settings.SEND_TIMEOUT,
        )
        response = EventStream(chunks, held)
        patch_vary_headers(response, ("Accept",))
        return response


def _allowed(request: HttpRequest) -> set[OperationType]:
    """Return what a method may execute: `GET` is safe."""
    everything = set(OperationType)
    return everything if request.method == "POST" else everything - {OperationType.MUTATION}


def _is_mutation(given: Parameters) -> bool:
    """Tell whether a document asks for a mutation; what it can't tell is told by the stream."""
    try:
        document = parse(given.query, no_location=True, max_tokens=_TOKENS_OF_A_URL)
    except (GraphQLError, RecursionError):
        return False
    operation = get_operation_ast(document, given.operation_name)
    return operation is not None and operation.operation is Kind.MUTATION


def _is_request_error(result: ExecutionResult) -> bool:
    """Tell whether nothing was executed: the errors are then of the request, and not of a field."""
    if isinstance(result, PreExecutionError):
        return True
    return result.data is None and all(error.path is None for error in result.errors or ())


def _response_of(result: ExecutionResult) -> Any:
    response: dict[str, Any] = {}
    if result.errors:
        response["errors"] = [error.formatted for error in result.errors]
    if not _is_request_error(result):
        response["data"] = result.data
    if result.extensions:
        response["extensions"] = result.extensions
    return response


def _status_of(result: ExecutionResult) -> HTTPStatus:
    return HTTPStatus.BAD_REQUEST if _is_request_error(result) else HTTPStatus.OK


def _not_allowed(message: str, allow: str) -> Refusal:
    return Refusal(HTTPStatus.METHOD_NOT_ALLOWED, message, headers={"Allow": allow})


def _refused(refusal: Refusal, media: MediaType) -> JsonResponse:
    kind = MediaType.JSON if media is MediaType.EVENTS else media
    response = JsonResponse(refusal.body, status=refusal.status, headers=dict(refusal.headers))
    response["Content-Type"] = kind.content_type
    patch_vary_headers(response, ("Accept",))
    return response
