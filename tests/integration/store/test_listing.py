"""Every draft that is kept, for operators."""

from __future__ import annotations

from redis import Redis

from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys
from gql_cluster.store.listing import Listing


async def test_a_prefix_is_no_pattern(client: Client, redis_client: Redis) -> None:
    """Services that share a Redis do not list each other's drafts."""
    redis_client.hset("gqlc:{draft:a}:meta", "id", "a")
    redis_client.hset("gqlc:{draft:a}:nodes", "root", "")
    redis_client.hset("gql?:{draft:b}:meta", "id", "b")
    assert [name async for name in Listing(client, keys=Keys(prefix="gqlc"))] == ["a"]
    assert [name async for name in Listing(client, keys=Keys(prefix="gql?"))] == ["b"]
