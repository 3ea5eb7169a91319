"""A release goes out: behind a real proxy each worker is stopped and started anew, one by one.

Meanwhile editors edit and watchers watch, through the proxy alone. Nothing acknowledged is lost,
and each watcher has each event once, in order.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from websockets.exceptions import ConnectionClosed

from tests.e2e.client import DEADLINE, Client
from tests.e2e.database import select
from tests.e2e.image import read_image
from tests.e2e.proxy import free_port, proxy
from tests.e2e.samples import named, wings
from tests.e2e.workers import ROOT, Worker, start_worker, until, wait_for_worker

VIEWERS = 2  # of each draft
SERVICE_RESTART = 1012
SAVED = "SELECT name FROM bands_band WHERE name LIKE 'Ada %' OR name LIKE 'Joan %'"
# The proxy may send such a request twice. The value is the client's own affair.
HARMLESS = {"Idempotency-Key": "a change id is in the request"}

pytestmark = pytest.mark.once


class Fleet:
    """Two workers, each at an address that it keeps, and the proxy before them."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = environ
        self._running = ExitStack()
        self._logs = (folder / f"worker-{number}.log" for number in itertools.count())
        self.ports = [free_port(), free_port()]
        self.workers: list[Worker] = []
        self.address: Worker

    def __enter__(self) -> Self:
        """Start all of it."""
        starting = [self._start(port) for port in self.ports]
        self.workers = [wait_for_worker(*started) for started in starting]
        self.address = self._running.enter_context(proxy(self._folder, self.ports))
        until(lambda: httpx.post(f"{self.address.url}/graphql", trust_env=False).status_code != 502)
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Stop all of it, and show what it has logged."""
        self._running.close()
        for log in sorted(self._folder.glob("*.log")):
            sys.stdout.write(f"---- {log.name}\n{log.read_text(errors='replace')}")

    def _start(self, port: int) -> tuple[subprocess.Popen[bytes], Path]:
        log = next(self._logs)
        process = start_worker(log, self._environ, port)
        self._running.callback(Worker(url="", process=process, log=log).stop)
        return process, log

    def stop(self, which: int) -> int:
        """Stop a worker as an operator does, and return its exit code."""
        process = self.workers[which].process
        process.terminate()
        return process.wait(DEADLINE)

    def start(self, which: int) -> None:
        """Start it anew at its address, and return when it is ready."""
        self.workers[which] = worker = wait_for_worker(*self._start(self.ports[which]))
        until(lambda: httpx.get(f"{worker.url}/readyz", trust_env=False).is_success)


@dataclass(slots=True, kw_only=True)
class Editor:
    """A session that edits a draft over HTTP, and keeps what was acknowledged."""

    client: Client
    name: str
    draft: str = ""
    acknowledged: int = 0
    sent_again: int = 0
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def started(self) -> Editor:
        """Begin a session, and open a draft."""
        self.client = await self.client.started()
        self.draft = await self.client.open(data=wings())
        return self

    async def edit_until(self, enough: asyncio.Event, busy: asyncio.Event) -> None:
        """Edit on; what a worker may have begun is sent again with its change id."""
        while not enough.is_set():
            await busy.wait()
            number = self.acknowledged + 1
            change = partial(self.client.edit, self.draft, named(f"{self.name} {number}"))
            payload = await self._sent(change, f"edit-{number}")
            assert payload["event"]["version"] == number, "lost, or carried out twice"
            async with self.progress:
                self.acknowledged = number
                self.progress.notify_all()

    @property
    def last(self) -> str:
        """The name that was acknowledged last."""
        return f"{self.name} {self.acknowledged}"

    async def further(self, count: int) -> None:
        """Return when so many more edits were acknowledged."""
        target = self.acknowledged + count
        async with asyncio.timeout(DEADLINE), self.progress:
            await self.progress.wait_for(lambda: self.acknowledged >= target)

    async def commit(self) -> str:
        """Commit the draft and return the name that was saved."""
        payload = await self._sent(partial(self.client.commit, self.draft), "commit")
        return str(payload["cluster"]["name"])

    async def _sent(self, change: Callable[..., Awaitable[Any]], change_id: str) -> Any:
        while True:
            try:
                return await change(change_id=change_id)
            except httpx.HTTPStatusError as exc:
                if exc.response.status_code != httpx.codes.BAD_GATEWAY:
                    raise
                self.sent_again += 1


@dataclass(slots=True, kw_only=True)
class Viewer:
    """Somebody who watches a draft, and connects anew with the version they saw last."""

    client: Client
    draft: str
    seen: list[int] = field(default_factory=lambda: [0])
    closed_with: list[int] = field(default_factory=list)

    async def watch(self) -> None:
        """Watch until the draft is committed."""
        while True:
            try:
                async with self.client.watch(self.draft, after=self.seen[-1]) as watcher:
                    while True:
                        event = await watcher.next()
                        self.seen.append(event["version"])
                        if event["__typename"] == "DraftCommitted":
                            return
            except ConnectionClosed as closed:
                self.closed_with.append(closed.rcvd.code if closed.rcvd else 1006)


@pytest.fixture
def fleet(database_url: str, worker_redis_url: str, tmp_path: Path) -> Iterator[Fleet]:
    """Two workers behind the proxy."""
    image = read_image(ROOT / "Dockerfile").variables
    environ = {
        "DATABASE_URL": database_url,
        "DATABASE_POOL_SIZE": "20",
        "REDIS_URL": worker_redis_url,
        "GQL_CLUSTER": '{"DRAIN": 2}',
        "UVICORN_TIMEOUT_KEEP_ALIVE": image["UVICORN_TIMEOUT_KEEP_ALIVE"],
        "UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN": image["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"],
    }
    with Fleet(tmp_path, environ) as fleet:
        yield fleet


@asynccontextmanager
async def browser(**headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that keeps its connections, and raises for a status that is no answer."""

    async def check(response: httpx.Response) -> None:
        response.raise_for_status()

    async with httpx.AsyncClient(
        timeout=DEADLINE, trust_env=False, headers=headers, event_hooks={"response": [check]}
    ) as client:
        yield client


async def test_clients_notice_no_more_of_a_rolling_restart_than_a_reconnect(
    fleet: Fleet, database_url: str
) -> None:
    """Editors go on, viewers see each event once and in order, and what was said is saved.

    Ada says that her requests may be sent twice, and sees none fail. Joan's may fail, and she sends
    them again herself.
    """
    async with browser(**HARMLESS) as cared_for, browser() as plain:
        ada = await Editor(
            client=Client(http=cared_for, worker=fleet.address), name="Ada"
        ).started()
        joan = await Editor(client=Client(http=plain, worker=fleet.address), name="Joan").started()
        editors = [ada, joan]
        viewers = [
            Viewer(client=editor.client, draft=editor.draft)
            for editor in editors
            for _ in range(VIEWERS)
        ]
        enough, busy = asyncio.Event(), asyncio.Event()
        busy.set()
        async with asyncio.timeout(90), asyncio.TaskGroup() as tasks:
            for viewer in viewers:
                tasks.create_task(viewer.watch())
            editing = [tasks.create_task(editor.edit_until(enough, busy)) for editor in editors]
            for which in range(len(fleet.workers)):
                await edits(editors)
                code, _ = await asyncio.gather(asyncio.to_thread(fleet.stop, which), edits(editors))
                assert code in (0, -signal.SIGTERM)
                await edits(editors)  # one worker has them all
                busy.clear()  # and the machine is left to the one that starts
                await asyncio.to_thread(fleet.start, which)
                busy.set()
            await edits(editors)
            enough.set()
            await asyncio.gather(*editing)
            saved = [await editor.commit() for editor in editors]
    assert ada.sent_again == 0
    assert saved == [editor.last for editor in editors]
    assert set(select(database_url, SAVED)) == {(editor.last,) for editor in editors}
    for viewer, editor in zip(viewers, (ada, ada, joan, joan), strict=True):
        assert viewer.seen == list(range(editor.acknowledged + 2))  # the last is the commit
        assert set(viewer.closed_with) == {SERVICE_RESTART}


async def edits(editors: Iterable[Editor]) -> None:
    """Return when each of them has made some more edits."""
    await asyncio.gather(*(editor.further(5) for editor in editors))
