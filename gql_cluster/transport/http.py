"""GraphQL over HTTP, through Django's middleware."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cross_web import HTTPException
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from strawberry.django.views import AsyncGraphQLView

from gql_cluster.domain.error import DatabaseUnavailableError, UnauthenticatedError
from gql_cluster.transport.caller import browser_session, caller_of

if TYPE_CHECKING:
    from gql_cluster.service.engine import Caller


@dataclass(slots=True)
class HttpContext:
    """The context of an operation: `info.context`."""

    request: HttpRequest
    response: Any
    caller: Caller

    def __getitem__(self, name: str) -> Any:
        """Give the same by item as by attribute, as Strawberry's own contexts do."""
        return getattr(self, name)


# A cookie alone can't forge a request: only `application/json` is taken, which no form sends
# and no other origin may send unasked.
@method_decorator(csrf_exempt, name="dispatch")
class GraphQLView(AsyncGraphQLView[HttpContext, None]):
    """Answers `POST`, and `GET` for queries; GraphiQL where a browser asks."""

    async def get_context(self, request: HttpRequest, response: Any) -> HttpContext:
        """Tell who calls."""
        authorization = request.headers.get("Authorization")
        session = getattr(request, "session", None)
        return HttpContext(
            request=request, response=response, caller=await caller_of(authorization, session)
        )

    def parse_json(self, data: str | bytes) -> Any:
        """Parse a body; a scalar is refused here, where Strawberry would stumble over it."""
        parsed = super().parse_json(data)
        if not isinstance(parsed, dict | list):
            raise HTTPException(400, "The request has to be a JSON object.")
        return parsed

    async def dispatch(  # type: ignore[override]  # an async view is one, too
        self, request: HttpRequest, *args: object, **kwargs: object
    ) -> HttpResponseBase:
        """Answer; what can't even be executed gets an error with a code, too."""
        del args, kwargs
        if request.method == "GET" and not (self.allow_queries_via_get or self.graphql_ide):
            refusal = _refusal("BAD_REQUEST", "Requests come by POST here.", 405)
            refusal["Allow"] = "POST"
            return refusal
        try:
            return await self.run(request=request)
        except HTTPException as exc:
            return _refusal("BAD_REQUEST", exc.reason, exc.status_code)
        except (UnicodeDecodeError, RecursionError):
            return _refusal("BAD_REQUEST", "The request body is not valid JSON.", 400)
        except RequestDataTooBig:
            return _refusal("LIMIT_EXCEEDED", "The request body is too large.", 413)
        except UnauthenticatedError as exc:
            return _refusal(exc.code.value, str(exc), 401)
        except DatabaseUnavailableError as exc:
            return _refusal(exc.code.value, str(exc), 503)

    async def render_graphql_ide(self, request: HttpRequest) -> Any:
        """Show GraphiQL, in a session, so that it can edit at once."""
        session = getattr(request, "session", None)
        if session is not None:
            await browser_session(session)
        return await super().render_graphql_ide(request)


def _refusal(code: str, message: str, status: int) -> JsonResponse:
    error: Mapping[str, object] = {"message": message, "extensions": {"code": code}}
    return JsonResponse({"errors": [error]}, status=status)
