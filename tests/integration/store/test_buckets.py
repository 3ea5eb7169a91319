"""Token buckets that workers share, on a real Redis and by its clock."""

from __future__ import annotations

import asyncio

from gql_cluster.store.buckets import Buckets, Rate
from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys

SLOW = Rate(per_second=0.001, burst=10)


async def test_a_full_bucket_gives_what_it_holds_and_no_more(own_client: Client) -> None:
    """And tells when there will be one more."""
    buckets = Buckets(own_client)
    assert (await buckets.take("a", SLOW, 7)).tokens == 7
    rest = await buckets.take("a", SLOW, 7)
    assert rest.tokens == 3
    assert 990 < rest.wait <= 1000
    assert (await buckets.take("a", SLOW, 1)).tokens == 0
    assert (await buckets.take("b", SLOW, 1)).tokens == 1


async def test_many_at_once_share_what_there_is(own_client: Client) -> None:
    """As many workers would."""
    buckets = [Buckets(own_client) for _ in range(4)]
    taken = await asyncio.gather(
        *(each.take("a", Rate(per_second=0.001, burst=100), 7) for each in buckets * 10)
    )
    assert sum(each.tokens for each in taken) == 100


async def test_tokens_come_back_with_time(own_client: Client) -> None:
    """The key expires when the bucket is full again, and never holds more than it may."""
    buckets, key = Buckets(own_client), Keys().bucket("a")
    assert (await buckets.take("a", SLOW, 10)).tokens == 10
    assert 9_990_000 < await own_client.pttl(key) <= 10_000_000
    full = int(await own_client.get(key) or 0)
    await own_client.set(key, full - 4_000_000_000)  # as it would be 4,000 s later
    assert (await buckets.take("a", SLOW, 10)).tokens == 4
    await own_client.set(key, full - 90_000_000_000)
    assert (await buckets.take("a", SLOW, 100)).tokens == 10


async def test_a_bucket_is_one_whole_number(own_client: Client) -> None:
    """So that no rounding adds up."""
    buckets = Buckets(own_client)
    for _ in range(3):
        await buckets.take("a", Rate(per_second=3, burst=10), 1)
    value = await own_client.get(Keys().bucket("a"))
    assert value is not None
    assert value.isdigit()
