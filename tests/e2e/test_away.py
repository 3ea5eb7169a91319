"""Redis or the database goes away and comes back: a clear error soon, and service as before."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis
from websockets.exceptions import ConnectionClosed

from config.embedded import postgres_server, redis_server
from tests.e2e import operations
from tests.e2e.client import DEADLINE, Client, dial, open_socket
from tests.e2e.conftest import StartWorkers
from tests.e2e.samples import wings
from tests.e2e.workers import manage

BANDS = "{ bands { name } }"
AWAY = ["STORE_UNAVAILABLE"]
TRY_AGAIN_LATER = 1013


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that keeps cookies and no connections, and waits for `DEADLINE` at most."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=DEADLINE, limits=limits, trust_env=False) as client:
        yield client


@contextmanager
def hanging(pids: Iterable[int]) -> Iterator[None]:
    """Within the block the processes are there, and do nothing."""
    stopped = list(pids)
    try:
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)


class Postgres:
    """A PostgreSQL of one test, which it can crash and start again at the same address."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._running = ExitStack()
        self.url = ""

    def start(self) -> None:
        """Begin, or go on with what is there."""
        self.url = self._running.enter_context(postgres_server(self._folder))

    def pids(self) -> list[int]:
        """Return its process and those of its connections."""
        with psycopg.connect(self.url) as connected:
            rows = connected.execute(
                "SELECT pid FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )
            return [self._pid(), *(pid for (pid,) in rows)]

    def crash(self) -> None:
        """End at once, with every connection, and return when it is gone."""
        os.kill(self._pid(), signal.SIGQUIT)
        deadline = time.monotonic() + DEADLINE
        while (self._folder / "postmaster.pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self._running.close()

    def stop(self) -> None:
        """End."""
        self._running.close()

    def _pid(self) -> int:
        return int((self._folder / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL for one test, with the tables."""
    with TemporaryDirectory(prefix="gqlc-") as folder:  # short: it becomes a socket's path
        server = Postgres(Path(folder) / "data")
        server.start()
        manage("migrate", environ={"DATABASE_URL": server.url})
        yield server
        server.stop()


async def browser(client: Client) -> None:
    """Give the client a cookie, as a browser has that has opened GraphiQL."""
    response = await client.http.get(client.worker.graphql, headers={"Accept": "text/html"})
    assert response.is_success
    assert client.http.cookies
    client.http.headers["Sec-Fetch-Site"] = "same-origin"  # as it says of what the page asks for


async def readiness(client: Client) -> tuple[int, Any]:
    """Return what the worker says of itself."""
    response = await client.http.get(f"{client.worker.url}/readyz")
    return response.status_code, response.json()


async def is_alive(client: Client) -> bool:
    """Tell whether the worker says that it is alive."""
    return bool((await client.http.get(f"{client.worker.url}/healthz")).is_success)


async def codes_of(client: Client, count: int) -> list[list[str]]:
    """Read the database so many times, and return the codes of each answer."""
    return [(await client.post(BANDS)).codes for _ in range(count)]


@contextmanager
def soon(seconds: float = 8) -> Iterator[None]:
    """Fail if the block takes longer."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


async def test_a_redis_that_hangs_holds_up_nobody_for_long(
    start_workers: StartWorkers, http: httpx.AsyncClient
) -> None:
    """Who asks for drafts is told, all at once; everything else goes on, also for browsers."""
    settings = json.dumps({"STORE_TIMEOUT": 2.5, "STORE_CONNECT_TIMEOUT": 0.5})
    few = "2"  # which must not be held meanwhile
    with (
        TemporaryDirectory(prefix="gqlc-") as folder,
        redis_server(Path(folder), port=0, appendonly=False) as url,
        Redis.from_url(url) as redis,
    ):
        (worker,) = start_workers(1, REDIS_URL=url, GQL_CLUSTER=settings, DATABASE_POOL_SIZE=few)
        client = Client(http=http, worker=worker)
        await browser(client)
        draft = await client.open(data=wings())
        with hanging([redis.info("server")["process_id"]]):
            with soon(20):
                reads = (client.post(operations.DRAFT, draft=draft) for _ in range(200))
                answers = await asyncio.gather(*reads)
            assert [answer.codes for answer in answers] == [AWAY] * 200
            with soon(20):  # a trial now and then among them
                for _ in range(30):
                    assert (await client.post(operations.OPEN, data=wings())).codes == AWAY
            with soon():
                assert (await client.data(BANDS))["bands"]
            cookie = f"sessionid={http.cookies['sessionid']}"
            with soon():
                async with open_socket(worker, cookie=cookie) as socket:
                    operation = await socket.start(BANDS)
                    assert "errors" not in (await socket.receive(operation))["payload"]
            with soon():
                assert await readiness(client) == (
                    503,
                    {"store": "unavailable", "database": "ok"},
                )
            assert await is_alive(client)
        async with asyncio.timeout(DEADLINE):
            while (await client.post(operations.DRAFT, draft=draft)).codes:
                pass
        assert await readiness(client) == (200, {"store": "ok", "database": "ok"})
        assert (await client.commit(draft))["cluster"]["name"] == "Wings"


@pytest.mark.once  # with a PostgreSQL of its own
@pytest.mark.parametrize("pool", ["20", "0"])
async def test_a_database_that_was_restarted_is_found_at_once(
    own_postgres: Postgres, start_workers: StartWorkers, http: httpx.AsyncClient, pool: str
) -> None:
    """However many connections to the old one the worker has kept."""
    (worker,) = start_workers(1, DATABASE_URL=own_postgres.url, DATABASE_POOL_SIZE=pool)
    client = Client(http=http, worker=worker)
    await asyncio.gather(*(codes_of(client, 1) for _ in range(60)))
    await asyncio.to_thread(own_postgres.crash)
    await asyncio.to_thread(own_postgres.start)
    with soon(20):
        first, *others = await codes_of(client, 10)
    assert first in ([], ["DATABASE_UNAVAILABLE"])
    assert others == [[]] * 9
    assert await asyncio.gather(*(codes_of(client, 1) for _ in range(60))) == [[[]]] * 60


@pytest.mark.once  # with a PostgreSQL of its own
async def test_without_its_database_a_worker_is_alive_and_says_so(
    own_postgres: Postgres, start_workers: StartWorkers, http: httpx.AsyncClient
) -> None:
    """And serves again when the database is back, without a restart."""
    (worker,) = start_workers(1, DATABASE_URL=own_postgres.url)
    client = Client(http=http, worker=worker)
    await browser(client)
    assert await codes_of(client, 1) == [[]]
    await asyncio.to_thread(own_postgres.crash)
    with soon(20):
        reads = (client.post(BANDS) for _ in range(60))
        answers = await asyncio.gather(*reads)
    assert all(answer.codes == ["DATABASE_UNAVAILABLE"] for answer in answers)
    with soon():
        assert await readiness(client) == (503, {"store": "ok", "database": "unavailable"})
    with soon():
        assert await is_alive(client)
    async with dial(worker, cookie=f"sessionid={http.cookies['sessionid']}") as connection:
        await connection.send(json.dumps({"type": "connection_init"}))
        with pytest.raises(ConnectionClosed) as closed:
            await connection.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == TRY_AGAIN_LATER
    await asyncio.to_thread(own_postgres.start)
    assert (await codes_of(client, 5))[1:] == [[]] * 4
    assert await readiness(client) == (200, {"store": "ok", "database": "ok"})


@pytest.mark.once  # with a PostgreSQL of its own
async def test_a_database_that_hangs_is_not_ready(
    own_postgres: Postgres, start_workers: StartWorkers, http: httpx.AsyncClient
) -> None:
    """The question is given up, and not asked again while it is unanswered."""
    (worker,) = start_workers(1, DATABASE_URL=own_postgres.url)
    client = Client(http=http, worker=worker)
    assert await readiness(client) == (200, {"store": "ok", "database": "ok"})
    with hanging(own_postgres.pids()):
        for _ in range(3):
            with soon():
                assert await readiness(client) == (503, {"store": "ok", "database": "unavailable"})
        with soon():
            assert await is_alive(client)
    async with asyncio.timeout(DEADLINE):
        while await readiness(client) != (200, {"store": "ok", "database": "ok"}):
            pass
