"""How often mutations may be sent: two workers, one Redis, and no waiting for it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeAlias

import pytest
from redis import Redis

from gql_cluster.conf import Settings
from gql_cluster.service import rates as module
from gql_cluster.service.caller import Caller
from gql_cluster.service.rates import Rates, network
from gql_cluster.store.buckets import Buckets
from gql_cluster.store.client import Client, make_client

pytestmark = pytest.mark.once

MakeRates: TypeAlias = Callable[..., Rates]
# So slow that nothing comes back while a test runs.
SLOW: dict[str, Any] = {
    "MUTATION_RATE": 0.001,
    "MUTATION_BURST": 100,
    "ADDRESS_RATE": 0.001,
    "ADDRESS_BURST": 300,
}


@pytest.fixture
async def make_rates(redis_url: str) -> AsyncIterator[MakeRates]:
    """Make what a worker knows of the rates, each on a connection of its own."""
    made: list[tuple[Rates, Client]] = []

    def make(url: str = redis_url, **settings: Any) -> Rates:
        client = make_client(url, timeout=10)
        rates = Rates(Buckets(client), Settings(**(SLOW | settings)))
        made.append((rates, client))
        return rates

    yield make
    for rates, client in made:
        await rates.aclose()
        await client.aclose()


def ann(address: str | None = None) -> Caller:
    """Return a session, which asks from somewhere."""
    return Caller(session="ann", address=address)


async def let_through(rates: Rates, caller: Caller, times: int, count: int = 1) -> int:
    """Return how many of some mutations are let through, sent one after the other."""
    return sum([await rates.take(caller, count) is None for _ in range(times)])


async def test_a_session_is_let_through_as_often_as_its_bucket_holds(make_rates: MakeRates) -> None:
    """Then it is told how long to wait; another session is not held up."""
    rates = make_rates()
    assert await let_through(rates, ann(), 150) == 100
    wait = await rates.take(ann(), 1)
    assert wait is not None
    assert 900 < wait <= 1000
    assert await rates.take(Caller(session="bob"), 1) is None


async def test_workers_share_the_buckets(make_rates: MakeRates) -> None:
    """At once: no more than the bucket holds and, for each worker, what it gives on credit."""
    workers = [make_rates(), make_rates()]
    through = await asyncio.gather(*(let_through(each, ann(), 150) for each in workers))
    batch = SLOW["MUTATION_BURST"] // 10
    assert 100 <= sum(through) <= 100 + len(workers) * batch
    assert await let_through(make_rates(), ann(), 50) <= batch


async def test_an_address_is_let_through_with_all_its_sessions(make_rates: MakeRates) -> None:
    """Those without a session count, as when one is started."""
    rates = make_rates()
    through = 0
    for number in range(50):
        caller = Caller(session=f"s{number}" if number % 2 else None, address="192.0.2.1")
        through += await let_through(rates, caller, 10)
    assert through == 300
    assert await rates.take(Caller(session=None, address="192.0.2.2"), 1) is None


async def test_each_mutation_of_an_operation_counts(make_rates: MakeRates) -> None:
    """And more than a bucket holds are never let through."""
    rates = make_rates()
    assert await let_through(rates, ann(), 10, count=30) == 3
    assert await let_through(rates, ann(), 20, count=1) == 10
    assert await rates.take(Caller(session="bob"), 101) == float("inf")


async def test_a_rate_of_0_is_none(make_rates: MakeRates, redis_client: Redis) -> None:
    """Redis is not asked."""
    rates = make_rates(MUTATION_RATE=0, ADDRESS_RATE=0)
    assert await let_through(rates, ann("192.0.2.1"), 1000) == 1000
    await rates.aclose()
    assert not list(redis_client.scan_iter("*bucket*"))


@pytest.mark.one_redis
async def test_redis_is_asked_for_many_at_a_time_and_nobody_waits_for_the_first(
    make_rates: MakeRates, redis_client: Redis
) -> None:
    """The first is let through before the answer, and hundred cost some ten calls."""
    rates = make_rates()
    first = rates.take(ann(), 1)
    with pytest.raises(StopIteration):
        first.send(None)  # it ends without waiting for anything
    redis_client.config_resetstat()
    assert await let_through(rates, ann(), 99) == 99
    stats: Any = redis_client.info("commandstats")
    assert stats["cmdstat_evalsha"]["calls"] <= 25


async def test_a_redis_that_is_away_lets_a_batch_through_each_second(
    make_rates: MakeRates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At once, without hanging: what needs Redis finds that out itself."""
    rates = make_rates("redis://127.0.0.1:1/0")
    async with asyncio.timeout(5):
        through = await let_through(rates, ann(), 100)
    assert 10 <= through <= 20
    wait = await rates.take(ann(), 1)
    assert wait is not None
    assert wait <= 1
    monkeypatch.setattr(module, "_ALONE", 0)
    rates = make_rates("redis://127.0.0.1:1/0")
    assert await let_through(rates, ann(), 100) == 100


async def test_a_worker_remembers_so_many(
    make_rates: MakeRates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that it has not seen for the longest time are forgotten first."""
    monkeypatch.setattr(module, "_NAMES", 3)
    rates = make_rates()
    for number in range(10):
        await rates.take(Caller(session=f"s{number}"), 1)
    assert rates.names() == ["session:s7", "session:s8", "session:s9"]


async def test_what_a_worker_does_not_spend_in_time_is_lost(
    make_rates: MakeRates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a batch anew, and the bucket is empty the sooner."""
    rates = make_rates()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_KEPT", 0.0)
        for _ in range(10):
            assert await rates.take(ann(), 1) is None
            await asyncio.gather(*rates.asking())
    assert await let_through(make_rates(), ann(), 100) <= 10


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("unix", "unix"),
    ],
)
def test_the_addresses_of_one_customer_are_one(address: str, expected: str) -> None:
    """Of IPv6 he has a network, and may choose the rest."""
    assert network(address) == expected
