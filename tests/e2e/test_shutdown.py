"""A worker is told to end (SIGTERM): it answers what it has begun, and its clients go elsewhere."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e import operations
from tests.e2e.client import DEADLINE, Client, open_socket
from tests.e2e.conftest import StartWorkers
from tests.e2e.database import select
from tests.e2e.samples import named, wings
from tests.e2e.workers import ROOT, SERVICE, Worker, until
from tests.topologies import connect

pytestmark = pytest.mark.once

Serve: TypeAlias = Callable[..., Worker]

SERVING = re.compile(r"GraphiQL +(\S+)/graphql")
SERVICE_RESTART = 1012
SAVED = "SELECT count(*) FROM bands_band WHERE name = 'Denny'"


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that waits for `DEADLINE` at most."""
    async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as client:
        yield client


@pytest.fixture(params=["uvicorn", "WORKERS=1", "WORKERS=2"])
def serve(
    request: pytest.FixtureRequest,
    start_workers: StartWorkers,
    database_url: str,
    worker_redis_url: str,
    tmp_path: Path,
) -> Iterator[Serve]:
    """Start the service in one way or the other, with so many seconds of grace."""
    with ExitStack() as stack:

        def start(grace: int = 10) -> Worker:
            if request.param == "uvicorn":
                return start_workers(1, UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN=str(grace))[0]
            environ = {
                "DATABASE_URL": database_url,
                "DATABASE_POOL_SIZE": "20",
                "REDIS_URL": worker_redis_url,
                "RUN_DIR": str(tmp_path / "run"),
                "PORT": "0",
                "WORKERS": request.param[-1],
                "SHUTDOWN_GRACE": str(grace),
            }
            return stack.enter_context(run(tmp_path / "run.log", environ))

        yield start


@contextmanager
def run(log: Path, environ: dict[str, str]) -> Iterator[Worker]:
    """Run what `make run` runs; its workers share one address."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "config.run"],
            cwd=ROOT,
            env=os.environ | SERVICE | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    worker = Worker(url="", process=process, log=log)
    try:
        url = until(lambda: SERVING.search(log.read_text(errors="replace")))[1]
        yield Worker(url=url, process=process, log=log)
    finally:
        worker.stop()
        sys.stdout.write(f"---- {log.name}\n{log.read_text(errors='replace')}")


@contextmanager
def held(database_url: str) -> Iterator[Callable[[], None]]:
    """Hold what a commit has to write, until the yielded function is called or the block ends."""
    with ExitStack() as stack:
        if urlsplit(database_url).scheme == "sqlite":
            path = urlsplit(database_url).path
            locked = sqlite3.connect(path, isolation_level=None)
            stack.callback(locked.close)
            locked.execute("BEGIN IMMEDIATE")
        else:
            connected = psycopg.connect(database_url)
            stack.callback(connected.close)
            connected.execute("LOCK TABLE gql_cluster_receipt")
        yield stack.close


def is_committing(redis_url: str) -> bool:
    """Tell whether a commit has locked its draft, and is on its way to the database."""
    with connect(redis_url) as client:
        return any(client.hexists(key, "lock") for key in client.scan_iter("*:meta"))


async def commit_under_way(client: Client, name: str, redis_url: str) -> asyncio.Task[Any]:
    """Return a commit of a new band that has begun; the database is held by the test."""
    draft = await client.open(data=wings(name=name))
    commit = asyncio.create_task(client.commit(draft))
    await asyncio.to_thread(until, lambda: is_committing(redis_url))
    return commit


async def ended(worker: Worker) -> int:
    """Return the exit code when the process has ended."""
    return await asyncio.to_thread(worker.process.wait, DEADLINE)


async def test_a_request_in_flight_is_answered(
    serve: Serve, http: httpx.AsyncClient, worker_redis_url: str, database_url: str
) -> None:
    """A commit waits for the database when its worker is told to end."""
    worker = serve()
    client = await Client(http=http, worker=worker).started()
    with held(database_url) as release:
        commit = await commit_under_way(client, "Denny", worker_redis_url)
        worker.process.terminate()
        await asyncio.to_thread(until, lambda: "Shutting down" in worker.log.read_text())
        assert not commit.done()
        release()
        assert (await commit)["cluster"]["name"] == "Denny"
    assert await ended(worker) in (0, -signal.SIGTERM)
    assert select(database_url, SAVED) == [(1,)]
    assert_nothing_to_see(worker)


async def test_a_commit_that_came_by_a_socket_is_carried_out(
    serve: Serve, http: httpx.AsyncClient, worker_redis_url: str, database_url: str
) -> None:
    """Its reply is lost with the socket, and the worker ends when it is saved."""
    worker = serve()
    client = await Client(http=http, worker=worker).started()
    draft = await client.open(data=wings(name="Denny"))
    with held(database_url) as release:
        async with open_socket(worker, token=client.token) as socket:
            operation = await socket.start(operations.COMMIT, draft=draft)
            await asyncio.to_thread(until, lambda: is_committing(worker_redis_url))
            worker.process.terminate()
            with pytest.raises(ConnectionClosed):
                await socket.receive(operation)
        assert worker.process.poll() is None
        release()
        assert await ended(worker) in (0, -signal.SIGTERM)
    assert select(database_url, SAVED) == [(1,)]
    assert_nothing_to_see(worker)


async def test_what_does_not_end_is_given_up_with_the_grace_period(
    serve: Serve, http: httpx.AsyncClient, worker_redis_url: str, database_url: str
) -> None:
    """A commit that waits for the database for ever does not keep the process."""
    worker = serve(grace=1)
    client = await Client(http=http, worker=worker).started()
    with held(database_url):
        commit = await commit_under_way(client, "Denny", worker_redis_url)
        worker.process.terminate()
        began = time.monotonic()
        assert await ended(worker) in (0, -signal.SIGTERM)
        assert time.monotonic() - began < 15
        with pytest.raises(httpx.TransportError):
            await commit
    assert select(database_url, SAVED) == [(0,)]


async def test_sockets_are_closed_for_a_restart(serve: Serve, http: httpx.AsyncClient) -> None:
    """With 1012, whereupon a client connects anew at once; idle ones and busy ones alike."""
    worker = serve()
    client = await Client(http=http, worker=worker).started()
    draft = await client.open(data=wings())
    async with AsyncExitStack() as stack:
        watchers = [await stack.enter_async_context(client.watch(draft)) for _ in range(4)]
        for watcher in watchers:
            assert (await watcher.next())["version"] == 0
        worker.process.terminate()
        for watcher in watchers:
            with pytest.raises(ConnectionClosed) as closed:
                await watcher.next()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == SERVICE_RESTART
    assert await ended(worker) in (0, -signal.SIGTERM)
    assert_nothing_to_see(worker)


async def test_a_subscriber_misses_nothing_when_it_changes_over(
    serve: Serve, http: httpx.AsyncClient, start_workers: StartWorkers
) -> None:
    """Each event comes once and in order, those of the time in between too."""
    worker, other = serve(), start_workers(1)[0]
    client = await Client(http=http, worker=worker).started()
    elsewhere = client.at(other)
    draft = await client.open(data=wings())
    seen: list[int] = []
    enough = asyncio.Event()

    async def edit() -> int:
        for number in itertools.count(1):
            await elsewhere.edit(draft, named(f"Name {number}"))
            if enough.is_set():
                break
        return number

    async with client.watch(draft) as watcher:
        assert (await watcher.next())["version"] == 0
        editing = asyncio.create_task(edit())
        with suppress(ConnectionClosed):
            while True:
                seen.append((await watcher.next())["version"])
                if len(seen) == 3:
                    worker.process.terminate()
    async with elsewhere.watch(draft, after=seen[-1]) as watcher:
        seen += [event["version"] for event in await watcher.take(3)]
        enough.set()
        last = await editing
        while seen[-1] < last:
            seen.append((await watcher.next())["version"])
    assert seen == list(range(1, last + 1))
    assert await ended(worker) in (0, -signal.SIGTERM)
    assert_nothing_to_see(worker)


def assert_nothing_to_see(worker: Worker) -> None:
    """Nobody is alarmed: an end that was asked for is no fault."""
    log = worker.log.read_text(errors="replace")
    assert "Shutting down" in log
    assert not re.search("Traceback|warning|error|couldn't|never", log, re.IGNORECASE)
