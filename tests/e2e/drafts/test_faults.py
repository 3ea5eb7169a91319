"""Workers die and parts go away: what was acknowledged is kept, and what is left goes on."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpx
import pytest

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.conftest import StartWorkers
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import named, nameless, wings
from tests.e2e.tripwire import Tripwire
from tests.e2e.workers import Worker

pytestmark = pytest.mark.once

WINGS = ["Paul McCartney", "Linda McCartney", "Denny Laine"]


async def members_of(client: Client, draft: str) -> list[str]:
    """Return the names of the members, in order."""
    return [each["name"] for each in (await client.draft(draft))["cluster"]["members"]]


async def test_a_draft_goes_on_at_the_other_worker(
    workers: list[Worker], start_session: StartSession
) -> None:
    """One is killed between edits: the editor and a subscriber change over, and lose nothing."""
    first, second = workers
    client = await start_session(first)
    draft = await client.open(data=wings())
    async with client.watch(draft) as events:
        assert (await events.next())["version"] == 0
        for number in range(1, 4):
            await client.edit(draft, nameless(f"Member {number}"))
        seen = [event["version"] for event in await events.take(2)]
        first.kill()
    client = client.at(second)
    added = [f"Member {number}" for number in range(1, 4)]
    assert await members_of(client, draft) == WINGS + added
    edited = await client.try_edit(draft, named("Survivors"), expected=3)
    assert edited["event"]["version"] == 4
    async with client.watch(draft, after=seen[-1]) as events:
        assert [event["version"] for event in await events.take(2)] == [3, 4]
    assert (await client.commit(draft))["cluster"]["name"] == "Survivors"


async def test_a_worker_killed_while_edits_are_in_flight_loses_none(
    workers: list[Worker], start_session: StartSession
) -> None:
    """What it acknowledged is there; what it did not is sent again elsewhere, and done once."""
    first, second = workers
    client = await start_session(first)
    draft = await client.open(data=wings())
    sent = [f"Member {number}" for number in range(60)]
    acknowledged: dict[str, Any] = {}
    dropped: set[str] = set()

    async def send(name: str) -> None:
        try:
            acknowledged[name] = (await client.edit(draft, nameless(name), change_id=name))["event"]
        except httpx.TransportError:
            dropped.add(name)
        if len(acknowledged) == len(sent) // 3:
            first.kill()

    await asyncio.gather(*map(send, sent))
    client = client.at(second)
    assert dropped
    there = await members_of(client, draft)
    assert set(acknowledged) <= set(there)

    retried = [await client.edit(draft, nameless(name), change_id=name) for name in dropped]
    events = {payload["event"]["changeId"]: payload["event"] for payload in retried}
    assert sorted(await members_of(client, draft)) == sorted(WINGS + sent)
    async with client.watch(draft, after=0) as watcher:
        log = await watcher.take(len(sent))
    assert [event["version"] for event in log] == list(range(1, len(sent) + 1))
    for event in log:
        del event["draft"]
        assert event == (acknowledged | events)[event["changeId"]]


@pytest.mark.one_redis
async def test_an_edit_is_done_once_though_its_worker_died_right_before_or_after(
    start_workers: StartWorkers, start_session: StartSession, worker_redis_url: str
) -> None:
    """Its editor can't know which; the retry at another worker tells, or does it."""
    async with Tripwire(worker_redis_url).listening() as line:
        *doomed, last = start_workers(3, REDIS_URL=line.url)
        client = await start_session(last)
        for worker, passes in zip(doomed, (False, True), strict=True):
            draft = await client.open(data=wings())
            await client.edit(draft, named("Before"))
            trap = line.set_trap(b"fatal", worker.kill, passes=passes)
            with pytest.raises(httpx.TransportError):
                await client.at(worker).edit(draft, nameless("Jimmy"), change_id="fatal")
            assert trap.has_gone_off
            assert ("Jimmy" in await members_of(client, draft)) is passes
            payload = await client.edit(draft, nameless("Jimmy"), change_id="fatal")
            assert (payload["event"]["version"], payload["event"]["changeId"]) == (2, "fatal")
            assert await members_of(client, draft) == [*WINGS, "Jimmy"]


async def test_a_draft_outlives_its_workers(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """Both are stopped and two others started: the draft, its log and its session are there."""
    old = start_workers(2)
    client = await start_session(old[0])
    draft = await client.open(data=wings())
    edits = [
        await client.at(worker).edit(draft, named(f"Name {number}"), change_id=str(number))
        for number, worker in enumerate(old * 2)
    ]
    before = await client.draft(draft)
    for worker in old:
        worker.stop()
        assert worker.process.returncode in (0, -15)
    new = start_workers(2)
    client = client.at(new[0])
    assert await client.draft(draft) == await client.at(new[1]).draft(draft) == before
    listed = await client.data("{ drafts { edges { node { id } } } }")
    assert listed["drafts"]["edges"] == [{"node": {"id": draft}}]
    async with client.watch(draft, after=0) as watcher:
        for edit in edits:
            event = await watcher.next()
            del event["draft"]
            assert event == edit["event"]
        await client.at(new[1]).edit(draft, named("New"))
        assert (await watcher.next())["version"] == 5
    assert await client.edit(draft, named("Name 0"), change_id="0") | {"draft": None} == (
        edits[0] | {"draft": None}
    )
    assert (await client.commit(draft))["cluster"]["name"] == "New"


async def test_without_redis_a_worker_is_alive_and_not_ready(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """It serves what is saved, and says that drafts are to be tried again later."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    (worker,) = start_workers(1, REDIS_URL=f"redis://127.0.0.1:{port}/0")
    client = await start_session(worker)
    health = await client.http.get(f"{worker.url}/healthz")
    assert health.status_code == 200
    ready = await client.http.get(f"{worker.url}/readyz")
    assert ready.status_code == 503
    assert ready.json() == {"store": "unavailable", "database": "ok"}
    assert (await client.data("{ bands { name } }"))["bands"]
    answer = await client.post(operations.OPEN, data=wings())
    assert answer.codes == ["STORE_UNAVAILABLE"]
