"""For `make soak`: nothing fails, nothing grows, and nothing is left when all have gone.

SOAK_SECONDS is for how long (600). On Linux: what a process holds is not asked alike elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from redis import Redis

from tests.e2e.chaos.drive import errors_in
from tests.e2e.chaos.servers import RedisServer
from tests.e2e.client import DEADLINE
from tests.e2e.soak.clients import Scene, edit, watch
from tests.e2e.soak.memory import FLAT, Memory
from tests.e2e.workers import Worker, start_worker, wait_for_worker

EDITORS, WATCHERS = 6, 12
EVERY = 2.0
"""Seconds from one look at the memory to the next."""
SETTINGS = {
    "DRAFT_TTL": 30,
    "CLOSED_TTL": 20,
    "EXPIRY_NOTICE": 5,
    "CACHE_BYTES": 512 * 1024,  # so that it is full soon
}
PASSED = {"06", "0A"}
"""TIME_WAIT and LISTEN, as /proc names them."""


@pytest.fixture
def workers(
    tmp_path: Path, redis: RedisServer, copy_samples: Callable[[], str]
) -> Iterator[list[Worker]]:
    """Two, with drafts that live for seconds."""
    environ = {
        "DJANGO_SETTINGS_MODULE": "tests.e2e.soak.settings",
        "DATABASE_URL": copy_samples(),
        "DATABASE_POOL_SIZE": "10",
        "REDIS_URL": redis.url,
        "GQL_CLUSTER": json.dumps(SETTINGS),
    }
    with ExitStack() as stack:
        started = []
        for log in (tmp_path / "first.log", tmp_path / "second.log"):
            process = start_worker(log, environ)
            stack.callback(Worker(url="", process=process, log=log).stop)
            started.append((process, log))
        yield [wait_for_worker(process, log) for process, log in started]


@asynccontextmanager
async def scene_of(workers: list[Worker]) -> AsyncIterator[Scene]:
    """Have clients whose connections are closed in the end."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=DEADLINE, limits=limits, trust_env=False) as http:
        scene = Scene(http=http, workers=workers)
        await scene.begin()
        yield scene


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # who vanishes
@pytest.mark.timeout(0)
async def test_nothing_grows_and_nothing_is_left(workers: list[Worker], redis: RedisServer) -> None:
    """Edits, reads, watchers who come and go, opens, discards and commits, at two workers."""
    seconds = float(os.environ.get("SOAK_SECONDS") or 600)
    memories = [Memory(pid=worker.process.pid) for worker in workers]
    async with scene_of(workers) as scene:
        await use(scene, min(10, seconds / 10), [])
    before = [await left_in(worker) for worker in workers]
    async with scene_of(workers) as scene:
        await use(scene, seconds, memories)
    for memory in memories:
        sys.stdout.write(f"\n    {memory}")
    done = ", ".join(f"{count} {what}" for what, count in sorted(scene.done.items()))
    sys.stdout.write(f"\n==> {seconds:.0f} s: {done}\n")
    assert errors_in([worker.log for worker in workers]) == []
    for worker, was in zip(workers, before, strict=True):
        assert await left_in(worker) <= was
    with Redis.from_url(redis.url, decode_responses=True) as client:
        assert [key for key in client.scan_iter() if client.pttl(key) == -1] == []
        assert [name for name in client.pubsub_channels() if "draft" in name] == []
    for memory in memories:
        assert memory.growth < FLAT, str(memory)


async def use(scene: Scene, seconds: float, memories: list[Memory]) -> None:
    """Let them all work for so long, and look at the memory meanwhile; an error ends it."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(EDITORS):
            group.create_task(edit(scene))
        for _ in range(WATCHERS):
            group.create_task(watch(scene))
        while (at := time.monotonic() - began) < seconds:
            for memory in memories:
                memory.look(at)
            await asyncio.sleep(EVERY)
        scene.over.set()


async def left_in(worker: Worker) -> int:
    """Return how many tasks a worker has when its clients are gone, and no draft is watched."""
    port = urlsplit(worker.url).port
    assert port is not None
    async with asyncio.timeout(DEADLINE):
        while connections_to(port):  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.1)
        async with httpx.AsyncClient(timeout=DEADLINE, trust_env=False) as http:
            while True:
                inside = (await http.get(f"{worker.url}/inside")).json()
                if not inside["watched"]:
                    return int(inside["tasks"])
                await asyncio.sleep(0.1)


def connections_to(port: int) -> int:
    """Return how many connections a worker holds, half-closed ones included."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    sockets = (line.split()[1:4] for line in lines)
    return sum(
        local.endswith(f":{port:04X}") and state not in PASSED for local, _, state in sockets
    )
