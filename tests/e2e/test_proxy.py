"""What the proxy of a deployment does with requests, before workers that are in any state."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from aiohttp import web

from tests.e2e.client import DEADLINE
from tests.e2e.proxy import free_port, proxy
from tests.e2e.workers import Worker

pytestmark = pytest.mark.once


@dataclass(slots=True, kw_only=True)
class Upstream:
    """Somebody in a worker's place, who says who it is and what it was told."""

    name: str
    port: int = field(default_factory=free_port)
    is_ready: bool = True
    asked: asyncio.Condition = field(default_factory=asyncio.Condition)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def readyz(self, request: web.Request) -> web.Response:
        """Answer the proxy's question."""
        del request
        async with self.asked:
            self.asked.notify_all()
        return web.Response(status=200 if self.is_ready else 503)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Answer bit by bit, the second when the test says so."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await self.go_on.wait()
        await response.write(b"data: 2\n\n")
        return response

    async def who(self, request: web.Request) -> web.Response:
        """Answer who this is, and where the client is said to be."""
        told = {name: request.headers[name] for name in request.headers if "Forwarded" in name}
        return web.json_response({"name": self.name, "told": told})

    async def is_noticed(self) -> None:
        """Return when the proxy has asked twice: it has made of the first what it makes of it."""
        async with asyncio.timeout(DEADLINE), self.asked:
            await self.asked.wait()
            await self.asked.wait()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve within the block."""
        app = web.Application()
        app.router.add_get("/readyz", self.readyz)
        app.router.add_get("/stream", self.stream)
        app.router.add_route("*", "/graphql", self.who)
        runner = web.AppRunner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", self.port).start()
            yield
        finally:
            await runner.cleanup()


@pytest.fixture
async def upstreams() -> AsyncIterator[list[Upstream]]:
    """Two of them, ready."""
    one, two = Upstream(name="one"), Upstream(name="two")
    async with one.serving(), two.serving():
        yield [one, two]


@pytest.fixture
def address(
    upstreams: list[Upstream], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    """The proxy before them."""
    folder = tmp_path_factory.mktemp("proxy")
    with proxy(folder, [upstream.port for upstream in upstreams]) as address:
        yield address


@pytest.fixture
async def http(address: Worker) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the proxy."""
    async with httpx.AsyncClient(base_url=address.url, timeout=DEADLINE, trust_env=False) as client:
        yield client


async def who_answers(http: httpx.AsyncClient) -> set[str]:
    """Return who answers some requests, all of which are answered."""
    answers = [await http.post("/graphql", json={}) for _ in range(6)]
    return {answer.raise_for_status().json()["name"] for answer in answers}


async def test_who_is_not_ready_gets_no_more_requests_while_another_is(
    http: httpx.AsyncClient, upstreams: list[Upstream]
) -> None:
    """A worker that is drained ends with nothing to do, and one that has come back goes on."""
    one, two = upstreams
    one.is_ready = False
    await one.is_noticed()
    assert await who_answers(http) == {"two"}
    one.is_ready, two.is_ready = True, False
    await asyncio.gather(one.is_noticed(), two.is_noticed())
    assert await who_answers(http) == {"one"}


async def test_where_none_is_ready_they_answer_themselves(
    http: httpx.AsyncClient, upstreams: list[Upstream]
) -> None:
    """With Redis away clients are told that, by a code, and not that there is nobody."""
    for upstream in upstreams:
        upstream.is_ready = False
    await asyncio.gather(*(upstream.is_noticed() for upstream in upstreams))
    assert await who_answers(http) <= {"one", "two"}


async def test_what_a_client_says_of_its_address_is_not_believed(http: httpx.AsyncClient) -> None:
    """It would get around every limit of an address, and pretend to have come by HTTPS."""
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    told = (await http.get("/graphql", headers=forged)).json()["told"]
    assert told["X-Forwarded-For"] == "127.0.0.1"
    assert told["X-Forwarded-Proto"] == "http"


async def test_what_is_for_operators_is_not_there(http: httpx.AsyncClient) -> None:
    """It says which parts are away, and costs a query of the database."""
    for path in ("/healthz", "/readyz"):
        assert (await http.get(path)).status_code == 404


async def test_a_stream_is_passed_on_as_it_comes(
    http: httpx.AsyncClient, upstreams: list[Upstream]
) -> None:
    """An event that waits in a buffer for the next one is no news."""
    async with asyncio.timeout(DEADLINE), http.stream("GET", "/stream") as response:
        lines = response.aiter_lines()
        assert await anext(lines) == "data: 1"
        for upstream in upstreams:
            upstream.go_on.set()
        assert [line async for line in lines if line] == ["data: 2"]
