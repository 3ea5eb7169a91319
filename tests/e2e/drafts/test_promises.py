"""The promises of the product that hold when workers, sockets and stores fail.

The others are in `tests/e2e/drafts/shared/test_promises.py`.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from config.embedded import redis_server
from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.conftest import StartWorkers
from tests.e2e.database import everything
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import named, nameless, wings

pytestmark = pytest.mark.once


async def test_promise_2_acknowledged_means_kept(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """Right behind each reply its worker is killed; one that never saw the draft has it all."""
    *doomed, last = start_workers(4)
    client = await start_session(doomed[0])
    draft = await client.open(data=wings())
    for number, worker in enumerate(doomed, start=1):
        edited = await client.at(worker).edit(
            draft, named(f"Wings {number}"), nameless(f"Member {number}")
        )
        worker.kill()
        assert edited["event"]["version"] == number
    kept = (await client.at(last).draft(draft))["cluster"]
    names = [each["name"] for each in kept["members"]]
    assert (kept["name"], names[-3:]) == ("Wings 3", ["Member 1", "Member 2", "Member 3"])
    async with client.at(last).watch(draft, after=0) as events:
        assert [event["version"] for event in await events.take(3)] == [1, 2, 3]


async def test_promise_8_a_draft_outlives_its_editors(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """Its watcher is cut off, its workers are killed: it is there, and tells when it expires."""
    old = start_workers(2)
    client = await start_session(old[0])
    draft = await client.open(data=wings())
    async with client.watch(draft, after=0) as events:
        await client.at(old[1]).edit(draft, named("Left behind"))
        assert (await events.next())["version"] == 1
        events.cut()
    for worker in old:
        worker.kill()
    (new,) = start_workers(1)
    client = client.at(new)
    assert (await client.draft(draft))["cluster"]["name"] == "Left behind"
    told = await client.data("query($id: ID!) { draft(id: $id) { expiresAt } }", id=draft)
    left = datetime.fromisoformat(told["draft"]["expiresAt"]) - datetime.now(UTC)
    assert timedelta(days=6) < left <= timedelta(days=7)
    (hasty,) = start_workers(1, GQL_CLUSTER=json.dumps({"DRAFT_TTL": 2}))
    client = client.at(hasty)
    draft = await client.open(data=wings())
    async with client.watch(draft, after=0) as events:
        await client.edit(draft, named("Left behind"))
        until = time.monotonic() + 1.5
        assert (await events.next())["version"] == 1
        while (await events.notice())["__typename"] != "DraftExpired":
            pass
        assert time.monotonic() > until
        assert await events.completed()
    assert await client.draft(draft) is None


async def test_promise_11_store_away(
    start_workers: StartWorkers,
    start_session: StartSession,
    database_url: str,
    tmp_path: Path,
) -> None:
    """Redis hangs: errors at once, nothing half done; when it is back, so is the service."""
    with redis_server(tmp_path / "redis", port=0) as url, Redis.from_url(url) as redis:
        (worker,) = start_workers(1, REDIS_URL=url)
        client = await start_session(worker)
        draft = await client.open(data=wings())
        await client.edit(draft, named("Before"))
        rows = everything(database_url)
        pid = int(redis.info("server")["process_id"])
        os.kill(pid, signal.SIGSTOP)
        try:
            await asyncio.gather(*(_is_refused_soon(client, draft, n) for n in range(20)))
            # One at a time may try whether Redis is back; who comes behind it does not wait.
            assert min([await _is_refused_soon(client, draft, n) for n in (20, 22, 24)]) < 1
            assert await client.data("{ bands { name } }")
        finally:
            os.kill(pid, signal.SIGCONT)
        assert everything(database_url) == rows
        edited = await _until_served(client, draft)
        names = [each["name"] for each in (await client.draft(draft))["cluster"]["members"]]
        assert names.count("Jimmy 0") == 1
        assert edited <= 21
        assert (await client.commit(draft))["cluster"]["name"] == "Before"


async def _is_refused_soon(client: Client, draft: str, number: int) -> float:
    begun = time.monotonic()
    if number % 2:
        answer = await client.post(operations.COMMIT, draft=draft)
    else:
        answer = await client.post(
            operations.EDIT, draft=draft, changes=[nameless(f"Jimmy {number}")], id=f"e{number}"
        )
    assert answer.codes == ["STORE_UNAVAILABLE"]
    took = time.monotonic() - begun
    assert took < 10
    return took


async def _until_served(client: Client, draft: str) -> int:
    """Send an edit again, with its change id, until it is answered; return its version."""
    async with asyncio.timeout(20):
        while True:
            answer = await client.post(
                operations.EDIT, draft=draft, changes=[nameless("Jimmy 0")], id="e0"
            )
            if not answer.errors:
                return int(answer.data["payload"]["event"]["version"])
            assert answer.codes == ["STORE_UNAVAILABLE"]
            await asyncio.sleep(0.1)
