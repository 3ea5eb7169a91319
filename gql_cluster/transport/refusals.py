"""What Django answers by itself, in the form of GraphQL's answers: a code, and nothing of why.

A project's URLs name them: `handler400`, `handler403`, `handler404` and `handler500`.
"""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse

from gql_cluster import logs


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that Django refuses to read, such as for a host that is not served."""
    del request, exception
    return _answer(400, "BAD_REQUEST", "The request can't be read.")


def permission_denied(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer a request that is not permitted."""
    del request, exception
    return _answer(403, "FORBIDDEN", "That is not permitted.")


def page_not_found(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer for an address that is none."""
    del request, exception
    return _answer(404, "NOT_FOUND", "There is nothing at this address.")


def server_error(request: HttpRequest) -> JsonResponse:
    """Answer for code that failed, with an id that the log has, too."""
    del request
    error_id = logs.new_id()
    current = logs.current()
    if current is not None:
        current.error_id = error_id  # Django writes the record when it has this answer
    return _answer(500, "INTERNAL", "Something went wrong on the server.", id=error_id)


def _answer(status: int, code: str, message: str, **more: str) -> JsonResponse:
    error = {"message": message, "extensions": {"code": code, **more}}
    return JsonResponse({"errors": [error]}, status=status)
