"""Django's handler without needless threads: all that it does with them, and no thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.conf import LazySettings
from django.contrib.sessions.models import Session
from django.core.signals import request_finished, request_started
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from gql_cluster.transport.handler import Handler

pytestmark = pytest.mark.urls(__name__)

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
seen: list[str] = []
held: list[BaseDatabaseWrapper] = []
happened: dict[str, asyncio.Event] = {}


@csrf_exempt
async def plain(request: HttpRequest) -> HttpResponse:
    """Compute."""
    return HttpResponse(f"{request.method} {len(request.body)}")


async def guarded(request: HttpRequest) -> HttpResponse:
    """Be no exception to CSRF."""
    return HttpResponse(request.method)


@csrf_exempt
async def remember(request: HttpRequest) -> HttpResponse:
    """Write to the session."""
    await request.session.aset("word", request.body.decode())
    return HttpResponse("kept")


async def recall(request: HttpRequest) -> HttpResponse:
    """Read the session."""
    return HttpResponse(await request.session.aget("word", ""))


@csrf_exempt
async def query(request: HttpRequest) -> HttpResponse:
    """Ask the database, and tell which thread did."""
    del request

    def ask() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert connection.connection is not None
        held.append(connections["default"])
        return threading.current_thread().name

    return HttpResponse(await sync_to_async(ask)())


@csrf_exempt
async def wait(request: HttpRequest) -> HttpResponse:
    """Take for ever."""
    del request
    happened["asked"].set()
    try:
        await asyncio.Event().wait()
    finally:
        happened["gone"].set()
    raise AssertionError


@csrf_exempt
async def pour(request: HttpRequest) -> StreamingHttpResponse:
    """Answer without an end."""
    del request

    async def drops() -> AsyncIterator[bytes]:
        while True:
            yield b"drop"
            happened["asked"].set()
            await asyncio.sleep(0.01)

    response = StreamingHttpResponse(drops())
    vars(response)["_resource_closers"].append(lambda: seen.append("closed"))
    return response


@csrf_exempt
async def closing(request: HttpRequest) -> HttpResponse:
    """Have something to close that asks the database."""
    del request
    response = HttpResponse("open")
    count = Session.objects.count
    vars(response)["_resource_closers"].append(lambda: seen.append(f"closed {count()}"))
    return response


VIEWS: tuple[Any, ...] = (plain, guarded, remember, recall, query, wait, pour, closing)
urlpatterns = [path(view.__name__, view) for view in VIEWS]


class Own:
    """A project's own middleware, without an async form."""

    sync_capable = True
    async_capable = False

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        """Take what comes behind it."""
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Leave a mark."""
        seen.append("before")
        response = self.get_response(request)
        response["X-Own"] = "yes"
        return response


class OwnAsync(Own):
    """The same, with one."""

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Any) -> None:
        """Take what comes behind it."""
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponse:  # type: ignore[override]
        """Leave a mark."""
        seen.append("async before")
        response: HttpResponse = await self.get_response(request)  # type: ignore[misc]
        response["X-Own-Async"] = "yes"
        return response


@pytest.fixture(autouse=True)
def _settings(settings: LazySettings) -> None:
    settings.MIDDLEWARE = MIDDLEWARE
    settings.ALLOWED_HOSTS = ["testserver"]
    seen.clear()
    held.clear()
    happened.update(asked=asyncio.Event(), gone=asyncio.Event())


@asynccontextmanager
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a handler made now, with the settings as they are."""
    app: Any = Handler()
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as made:
        yield made


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note the threads that are started."""
    started: list[str] = []
    start = threading.Thread.start

    def noted(self: threading.Thread) -> None:
        started.append(self.name)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", noted)
    return started


async def test_a_request_that_blocks_nowhere_starts_no_thread(threads: list[str]) -> None:
    """Neither for Django's own middleware nor for its signals, and all of them have their say."""
    async with client() as http:
        answer = await http.post("/plain", content=b"four")
    assert (answer.status_code, answer.text) == (200, "POST 4")
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Length"] == "6"
    assert threads == []


@pytest.mark.django_db(transaction=True)
async def test_what_a_view_asks_the_database_in_its_thread_is_given_back(
    threads: list[str],
) -> None:
    """In the one thread of the request, in which its connection is closed at the end."""
    async with client() as http:
        names = {(await http.post("/query")).text for _ in range(2)}
    assert len(names) == 2
    assert names <= {*threads}
    assert [each.connection for each in held] == [None, None]


async def test_a_foreign_host_is_refused() -> None:
    """As Django's own middleware says."""
    async with client() as http:
        answer = await http.post("/plain", headers={"Host": "evil.example"})
    assert answer.status_code == 400


async def test_a_view_that_is_not_exempt_is_guarded_against_forged_requests() -> None:
    """A page has to send the token that its cookie has."""
    async with client() as http:
        assert (await http.get("/guarded")).text == "GET"
        assert (await http.post("/guarded")).status_code == 403
        token = "a" * 32
        answer = await http.post(
            "/guarded", headers={"X-CSRFToken": token, "Cookie": f"csrftoken={token}"}
        )
    assert answer.text == "POST"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("in_session", [False, True])
async def test_a_session_is_kept(settings: LazySettings, *, in_session: bool) -> None:
    """What a view writes to it is there for the next one; the cookie is sent."""
    settings.CSRF_USE_SESSIONS = in_session
    settings.SESSION_COOKIE_SECURE = False
    async with client() as http:
        answer = await http.post("/remember", content=b"Ringo")
        assert "sessionid" in answer.cookies
        assert await Session.objects.acount() == 1
        assert (await http.get("/recall")).text == "Ringo"


@pytest.mark.parametrize("own", [Own, OwnAsync])
async def test_middleware_of_the_project_runs_as_ever(
    settings: LazySettings, own: type[Own]
) -> None:
    """Between Django's own, in its place, whether it has an async form or not."""
    settings.MIDDLEWARE = [*MIDDLEWARE[:3], f"{__name__}.{own.__name__}", *MIDDLEWARE[3:]]
    async with client() as http:
        answer = await http.post("/plain")
        refused = await http.post("/plain", headers={"Host": "evil.example"})
    assert answer.headers["X-Own" if own is Own else "X-Own-Async"] == "yes"
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert len(seen) == 1  # the host is checked before
    assert refused.status_code == 400


async def test_receivers_of_the_project_hear_of_each_request() -> None:
    """Of its begin and its end."""

    def note(signal: object, **kwargs: object) -> None:
        del kwargs
        seen.append("begins" if signal is request_started else "ends")

    for signal in (request_started, request_finished):
        signal.connect(note)
    try:
        async with client() as http:
            await http.post("/plain")
    finally:
        for signal in (request_started, request_finished):
            assert signal.disconnect(note)
    assert seen == ["begins", "ends"]


@pytest.mark.django_db(transaction=True)
async def test_what_a_response_closes_may_ask_the_database() -> None:
    """It is closed in a thread then, as ever."""
    async with client() as http:
        assert (await http.get("/closing")).text == "open"
    assert seen == ["closed 0"]


async def test_a_response_whose_client_is_gone_is_closed() -> None:
    """Files that it reads from, and what else it holds."""
    sent = await left("/pour")
    assert sent[1]["body"] == b"drop"
    assert seen == ["closed"]


async def test_a_view_whose_client_is_gone_is_cancelled() -> None:
    """It is told so where it waits, and the handler returns."""
    assert await left("/wait") == []
    async with asyncio.timeout(20):
        await happened["gone"].wait()


async def left(where: str) -> list[Any]:
    """Ask, and go away when the view says so; return what was sent until then."""
    leave = asyncio.Event()
    sent: list[Any] = []
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> Any:
        for message in messages:
            return message
        await leave.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": where,
        "query_string": b"",
        "headers": [(b"host", b"testserver")],
    }
    async with asyncio.timeout(20):
        serving = asyncio.create_task(Handler()(scope, receive, send))
        await happened["asked"].wait()
        leave.set()
        await serving
    return sent
