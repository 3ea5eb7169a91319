"""The end of a worker, as a server tells it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.conf import LazySettings
from redis import Redis

from gql_cluster.transport.lifespan import lifespan_application
from schema import schema


def connections(client: Redis) -> set[str]:
    """Return the ids of all that are connected to Redis."""
    listed: Any = client.client_list()
    return {each["id"] for each in listed}


@pytest.mark.one_redis
async def test_the_engine_has_no_connection_left_when_the_server_ends(redis_client: Redis) -> None:
    """What it uses in the server's event loop is closed before the server goes on to end."""
    told: asyncio.Queue[Any] = asyncio.Queue()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    application = lifespan_application(schema)
    life = asyncio.ensure_future(application({"type": "lifespan"}, told.get, heard.put))
    told.put_nowait({"type": "lifespan.startup"})
    assert await heard.get() == {"type": "lifespan.startup.complete"}
    before = connections(redis_client)
    await schema.engine.parts.store.ping()
    assert connections(redis_client) > before
    told.put_nowait({"type": "lifespan.shutdown"})
    assert await heard.get() == {"type": "lifespan.shutdown.complete"}
    async with asyncio.timeout(20):
        while not connections(redis_client) <= before:  # noqa: ASYNC110 - until Redis has noticed
            await asyncio.sleep(0.01)
    await life


async def test_a_worker_that_cannot_begin_says_so(settings: LazySettings) -> None:
    """A server takes an exception for a word that the project has no such application."""
    settings.GQL_CLUSTER = {**settings.GQL_CLUSTER, "METRICS_PORT": "many"}
    told: asyncio.Queue[Any] = asyncio.Queue()
    heard: asyncio.Queue[Any] = asyncio.Queue()
    told.put_nowait({"type": "lifespan.startup"})
    await lifespan_application(schema)({"type": "lifespan"}, told.get, heard.put)
    assert heard.get_nowait()["type"] == "lifespan.startup.failed"
