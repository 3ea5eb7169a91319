"""How much of a body is read, and for whom."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gql_cluster.transport import urls
from gql_cluster.transport.handler import Handler
from schema import schema

pytestmark = pytest.mark.urls(__name__)


@csrf_exempt
async def upload(request: HttpRequest) -> HttpResponse:
    """Be a view of the project's own."""
    return HttpResponse(str(len(request.read())))


urlpatterns = [*urls.urlpatterns(schema), path("upload", upload)]


@pytest.fixture(autouse=True)
def _limits(settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.GQL_CLUSTER = {**settings.GQL_CLUSTER, "MAX_BODY_BYTES": 1000}


@pytest.fixture
def _impatient(settings: LazySettings) -> None:
    settings.GQL_CLUSTER = {**settings.GQL_CLUSTER, "BODY_TIMEOUT": 0.05}


async def chunks(count: int, pause: float = 0) -> AsyncIterator[bytes]:
    """Send so many times a hundred bytes."""
    for _ in range(count):
        yield b" " * 100
        await asyncio.sleep(pause)


async def post(where: str, content: Any) -> httpx.Response:
    """Post a body of which no length is told."""
    app: Any = Handler()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        return await http.post(where, content=content)


@pytest.mark.parametrize("where", ["/graphql", "/healthz", "/nowhere"])
async def test_a_body_is_read_up_to_its_limit(where: str) -> None:
    """By the engine, and where nobody wants one."""
    assert (await post(where, chunks(10))).status_code != 413
    assert (await post(where, chunks(11))).status_code == 413
    assert (await post(where, b" " * 1001)).status_code == 413


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("where", ["/graphql", "/nowhere"])
async def test_a_body_has_to_come_in_time(where: str) -> None:
    """All of it, and not only some of it."""
    assert (await post(where, chunks(10, pause=0.02))).status_code == 408


@pytest.mark.usefixtures("_impatient")
async def test_a_view_of_the_project_has_its_own_limits() -> None:
    """Django's, which leaves uploads to the view: none of it is lost, and it may take its time."""
    assert (await post("/upload", chunks(50))).text == "5000"
    assert (await post("/upload", chunks(12, pause=0.02))).text == "1200"
    assert (await post("/upload", b" " * 5000)).text == "5000"
