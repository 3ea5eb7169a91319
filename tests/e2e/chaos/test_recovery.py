"""Redis or PostgreSQL is away: that is told at once, nothing is done by half, and all goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from tests.e2e import operations
from tests.e2e.chaos import documents
from tests.e2e.chaos.checker import SKIP
from tests.e2e.chaos.servers import PostgresServer, RedisServer
from tests.e2e.client import Answer, Client, Watcher, open_socket
from tests.e2e.database import everything, select
from tests.e2e.samples import named, nameless, wings

PROMPT = 6.0
"""Seconds within which an error is told, on a busy machine."""
BACK = 20.0
"""Seconds within which all is served again."""


async def answered(send: Callable[[], Awaitable[Answer]], code: str) -> Any:
    """Return the data of a request that is sent again as long as it is refused with this code."""
    async with asyncio.timeout(BACK):
        while (answer := await send()).codes:
            assert set(answer.codes) == {code}
    return answer.data


def edit(client: Client, draft: str, name: str) -> Callable[[], Awaitable[Answer]]:
    """Return the request that adds a member, named by the change id."""
    variables = {"draft": draft, "changes": [nameless(name)], "id": name}
    return partial(client.post, operations.EDIT, **variables)


def commit(client: Client, draft: str) -> Callable[[], Awaitable[Answer]]:
    """Return the request that commits a draft."""
    return partial(client.post, operations.COMMIT, draft=draft, id="save")


@asynccontextmanager
async def follow(client: Client, draft: str) -> AsyncIterator[Watcher]:
    """Subscribe to the events of a draft alone, not to the draft itself, which may be away."""
    async with open_socket(client.worker, token=client.token) as socket:
        yield Watcher(socket, await socket.start(documents.WATCH, draft=draft, after=0))


async def members_of(client: Client, draft: str) -> list[str]:
    """Return the names of the members, in order."""
    return [each["name"] for each in (await client.draft(draft))["cluster"]["members"]]


async def ready(client: Client) -> dict[str, str]:
    """Return what the worker says of the parts that it needs."""
    response = await client.http.get(f"{client.worker.url}/readyz")
    parts: dict[str, str] = response.json()
    assert response.is_success is (set(parts.values()) == {"ok"})
    return parts


async def test_a_redis_that_hangs_is_told_at_once_and_served_again(
    client: Client, redis: RedisServer
) -> None:
    """Once by once: what was sent meanwhile is done once, whatever was answered."""
    draft = await client.open(data=wings())
    await client.edit(draft, nameless("Before"))
    before = await members_of(client, draft)
    names = [f"Member {number}" for number in range(12)]
    async with follow(client, draft) as events:
        assert (await events.next())["version"] == 1
        redis.pause()
        try:
            for batch in (names[:4], names[4:8], names[8:]):
                async with asyncio.timeout(PROMPT):
                    refused = await asyncio.gather(*(edit(client, draft, n)() for n in batch))
                assert [answer.codes for answer in refused] == [["STORE_UNAVAILABLE"]] * len(batch)
            assert await ready(client) == {"store": "unavailable", "database": "ok"}
            assert (await client.data("{ bands { name } }"))["bands"]
        finally:
            redis.resume()
        for name in names:
            await answered(edit(client, draft, name), "STORE_UNAVAILABLE")
        told = [await events.next() for _ in names]
    assert sorted(event["changeId"] for event in told) == sorted(names)
    assert [event["version"] for event in told] == list(range(2, len(names) + 2))
    assert sorted(await members_of(client, draft)) == sorted(before + names)
    assert await ready(client) == {"store": "ok", "database": "ok"}


async def test_a_subscription_outlives_a_restart_of_redis(
    client: Client, elsewhere: Client, redis: RedisServer
) -> None:
    """It goes on by itself, on the same socket, and is told everything, from either worker."""
    draft = await client.open(data=wings())
    async with follow(client, draft) as here, follow(elsewhere, draft) as there:
        first = await client.edit(draft, nameless("Before"), change_id="Before")
        for events in (here, there):
            assert (await events.next())["version"] == 1
        await asyncio.to_thread(redis.kill)
        for editor in (client, elsewhere):
            async with asyncio.timeout(PROMPT):
                assert (await edit(editor, draft, "After")()).codes == ["STORE_UNAVAILABLE"]
        await asyncio.to_thread(redis.start)

        await answered(edit(client, draft, "After"), "STORE_UNAVAILABLE")
        await answered(edit(elsewhere, draft, "Later"), "STORE_UNAVAILABLE")
        for events in (here, there):
            told = await events.take(2)
            assert [event["changeId"] for event in told] == ["After", "Later"]
            skipped, next_one = (event["version"] for event in told)
            assert skipped == 2 or skipped > SKIP  # no number is ever used twice
            assert next_one == skipped + 1
    again = await answered(edit(client, draft, "Before"), "STORE_UNAVAILABLE")
    assert again["payload"]["event"] == first["event"]
    read = partial(client.post, operations.DRAFT, draft=draft)
    members = (await answered(read, "STORE_UNAVAILABLE"))["draft"]["cluster"]["members"]
    assert [each["name"] for each in members][-3:] == ["Before", "After", "Later"]


async def waiting(url: str) -> None:
    """Return when a statement waits for a lock."""
    async with asyncio.timeout(PROMPT):
        while not await asyncio.to_thread(select, url, "SELECT 1 FROM pg_locks WHERE NOT granted"):
            pass


async def test_a_commit_that_loses_the_database_saves_nothing_and_is_done_when_sent_again(
    client: Client, postgres: PostgresServer, saved_url: str
) -> None:
    """PostgreSQL dies when half of the cluster is written; drafts are edited without it."""
    draft = await client.open(data=wings(name="Half"))
    other = await client.open(data=wings(name="Other"))
    before = everything(saved_url)
    with postgres.locked(saved_url, "bands_song"):
        committing = asyncio.ensure_future(commit(client, draft)())
        await waiting(saved_url)
        await asyncio.to_thread(postgres.kill)
    try:
        async with asyncio.timeout(BACK):
            assert (await committing).codes == ["DATABASE_UNAVAILABLE"]
        async with asyncio.timeout(PROMPT):
            assert (await client.post("{ bands { name } }")).codes == ["DATABASE_UNAVAILABLE"]
            assert await ready(client) == {"store": "ok", "database": "unavailable"}
            await client.edit(other, named("Edited"))
    finally:
        await asyncio.to_thread(postgres.start)
    assert everything(saved_url) == before

    payload = (await answered(commit(client, draft), "DATABASE_UNAVAILABLE"))["payload"]
    assert (payload["errors"], payload["draft"]["state"]) == ([], "COMMITTED")
    [band] = (await client.data(operations.NAMED, name="Half"))["bands"]
    assert band == payload["cluster"]
    assert [len(album["songs"]) for album in band["albums"]] == [3, 1]
    again = (await commit(client, draft)()).data["payload"]
    assert again["receipt"] == payload["receipt"]
    assert select(saved_url, "SELECT count(*) FROM gql_cluster_receipt") == [(1,)]
