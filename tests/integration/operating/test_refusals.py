"""What Django answers by itself, as the service's URLs name it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import NoReturn

import httpx
import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.urls import path

from config import urls
from gql_cluster.logs import RequestFilter
from gql_cluster.transport.handler import Handler
from gql_cluster.transport.identified import identified

pytestmark = [pytest.mark.urls(__name__), pytest.mark.once]

SECRET = "postgres://admin:secret@db.internal"  # noqa: S105


def failing(exception: Exception) -> Callable[[HttpRequest], NoReturn]:
    """Return a view that fails."""

    def view(request: HttpRequest) -> NoReturn:
        del request
        raise exception

    return view


urlpatterns = [
    path("fail", failing(RuntimeError(SECRET))),
    path("forbidden", failing(PermissionDenied(SECRET))),
]
handler400 = urls.handler400
handler403 = urls.handler403
handler404 = urls.handler404
handler500 = urls.handler500


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A client of these views."""
    transport = httpx.ASGITransport(identified(Handler()))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
        yield client


async def test_what_fails_is_told_by_an_id_that_the_log_has(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    """With the traceback there, and none of it here."""
    caplog.handler.addFilter(RequestFilter())
    answer = await http.get("/fail")
    assert answer.status_code == 500
    (error,) = answer.json()["errors"]
    assert error["message"] == "Something went wrong on the server."
    assert error["extensions"]["code"] == "INTERNAL"
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert vars(record)["error_id"] == error["extensions"]["id"]
    assert vars(record)["request_id"] == answer.headers["X-Request-ID"]
    assert record.exc_info is not None
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("address", "host", "status", "code"),
    [
        ("/forbidden", "testserver", 403, "FORBIDDEN"),
        ("/missing", "testserver", 404, "NOT_FOUND"),
        ("/fail", "evil.example", 400, "BAD_REQUEST"),
    ],
)
async def test_what_is_refused_has_a_code(
    http: httpx.AsyncClient, address: str, host: str, status: int, code: str
) -> None:
    """In the form of a GraphQL error, and not as a page."""
    answer = await http.get(address, headers={"Host": host})
    assert answer.status_code == status
    assert [error["extensions"]["code"] for error in answer.json()["errors"]] == [code]
    assert "secret" not in answer.text
