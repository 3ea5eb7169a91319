"""A worker dies while it commits: the cluster is saved once or not at all, and a retry tells."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

import httpx
import pytest

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.conftest import StartWorkers
from tests.e2e.database import select
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import long_album, wings
from tests.e2e.tripwire import Tripwire
from tests.e2e.workers import Worker

# The engine keeps five seconds of the lease as a margin between clocks; the rest is to commit in.
SHORT_LEASE = {"GQL_CLUSTER": json.dumps({"COMMIT_LEASE": 6})}
SONGS = 300
COUNT = "SELECT count(*) FROM gql_cluster_receipt"
RETRY = {"STORE_UNAVAILABLE", "DATABASE_UNAVAILABLE"}


async def open_long(client: Client, name: str) -> str:
    """Open a draft of a new band with so many songs that saving them takes a while."""
    return await client.open(data=wings(name=name, albums=[long_album(SONGS)]))


async def commit_at_last(client: Client, draft: str) -> Any:
    """Commit as a client does that sends the same again whenever it is told to."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.post(operations.COMMIT, draft=draft, id="save")
            if not answer.codes:
                return answer.data["payload"]
            assert set(answer.codes) <= RETRY


async def assert_saved_once(client: Client, url: str, draft: str, name: str) -> None:
    """One band of that name with all its songs, one receipt, one event; and it stays so."""
    payload = await commit_at_last(client, draft)
    assert not payload["errors"]
    assert payload["draft"] == {"state": "COMMITTED", "version": 1}
    bands = (await client.data(operations.NAMED, name=name))["bands"]
    assert bands == [payload["cluster"]]
    [album] = bands[0]["albums"]
    assert [song["position"] for song in album["songs"]] == list(range(1, SONGS + 1))
    assert len(bands[0]["members"]) == 3
    pks = {each["key"]: each["pk"] for each in payload["keys"]}
    assert (pks["root"], pks["takes"]) == (bands[0]["pk"], album["pk"])
    receipts = select(url, "SELECT root_pk, change_id FROM gql_cluster_receipt")
    assert receipts.count((bands[0]["pk"], "save")) == 1
    async with client.watch(draft, after=0) as events:
        event = await events.next()
        assert (event["__typename"], event["version"]) == ("DraftCommitted", 1)
        assert event["keys"] == payload["keys"]
        assert await events.completed()


async def kill_while_committing(
    client: Client, worker: Worker, drafts: Iterable[str], *, after: float | None = None
) -> list[Any]:
    """Commit drafts at a worker all at once, and return the outcome of each.

    The worker is killed `after` so many seconds; else something else has to kill it.
    """
    commits = [
        asyncio.ensure_future(client.at(worker).try_commit(draft, change_id="save"))
        for draft in drafts
    ]
    if after is not None:
        await asyncio.wait(commits, timeout=after)
        worker.kill()
    outcomes: list[Any] = await asyncio.gather(*commits, return_exceptions=True)
    for outcome in outcomes:
        assert isinstance(outcome, httpx.TransportError) or not outcome["errors"]
    return outcomes


@pytest.mark.one_redis
async def test_a_worker_killed_at_any_moment_of_a_commit_has_saved_once_or_not_at_all(
    start_workers: StartWorkers,
    start_session: StartSession,
    worker_redis_url: str,
    database_url: str,
) -> None:
    """Right before and after it tells Redis, where the cluster is saved already; and at random.

    Each worker commits two drafts when it dies, so that another is elsewhere on its way.
    """
    names = {number: [f"Band {number}{which}" for which in "ab"] for number in range(4)}
    async with Tripwire(worker_redis_url).listening() as line:
        *doomed, last = start_workers(1 + len(names), REDIS_URL=line.url, **SHORT_LEASE)
        client = await start_session(last)
        # Redis has to know the script before, or its reply is to send that first.
        await client.commit(await client.open(data=wings()))
        drafts = {name: await open_long(client, name) for group in names.values() for name in group}
        for number, worker in enumerate(doomed):
            group = [drafts[name] for name in names[number]]
            if number < 2:
                trap = line.set_trap(b"COMMITTED", worker.kill, passes=number == 1)
                outcomes = await kill_while_committing(client, worker, group)
                assert trap.has_gone_off
                assert all(isinstance(outcome, httpx.TransportError) for outcome in outcomes)
                states = [(await client.draft(draft))["state"] for draft in group]
                assert ("OPEN", "COMMITTED")[number] in states
            else:
                after = (0.03, 0.12)[number - 2]
                await kill_while_committing(client, worker, group, after=after)
        assert select(database_url, COUNT) >= [(1 + 2,)]
        await asyncio.gather(
            *(
                assert_saved_once(client, database_url, draft, name)
                for name, draft in drafts.items()
            )
        )
    assert select(database_url, COUNT) == [(1 + len(drafts),)]
