"""The circuit breaker: by itself, and before a Redis that hangs or is gone."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest
from redis import Redis as SyncRedis
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.circuit import Circuit, CircuitOpenError
from gql_cluster.store.client import Client, make_client
from gql_cluster.store.keys import Keys
from gql_cluster.store.sessions import SessionIndex
from tests.integration.store.band import ROOT, band_nodes, new_draft
from tests.integration.store.conftest import MakeStore, Server

T = TypeVar("T")

PAUSE = 0.05
DEADLINE = 10.0


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """Within the block the server is there, takes connections, and answers nothing."""
    with SyncRedis.from_url(server.url) as client:
        pid = client.info("server")["process_id"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def fail(circuit: Circuit, error: type[Exception] = LostError) -> None:
    """Make a call that fails."""
    with pytest.raises(error):
        async with circuit.call():
            raise error


async def is_open(circuit: Circuit) -> bool:
    """Tell whether calls fail at once; where they do not, this one is answered."""
    try:
        async with circuit.call():
            return False
    except CircuitOpenError:
        return True


class Call(asyncio.Future[None]):
    """A call under way, which ends as this future does."""

    def __init__(self, circuit: Circuit) -> None:
        super().__init__()
        self.task = asyncio.create_task(self._run(circuit))

    async def _run(self, circuit: Circuit) -> None:
        async with circuit.call():
            await self


async def trial(circuit: Circuit) -> Call:
    """Return the first call that is let through, under way."""
    async with asyncio.timeout(DEADLINE):
        while True:
            call = Call(circuit)
            await asyncio.sleep(0)
            if not call.task.done():
                return call
            assert isinstance(call.task.exception(), CircuitOpenError)


async def test_a_few_lost_connections_in_a_row_open_it_and_an_answer_between_does_not() -> None:
    """What comes and goes is not away."""
    circuit = Circuit(timeout=None, failures=3, pause=PAUSE)
    for _ in range(2):
        await fail(circuit)
        await fail(circuit)
        assert not await is_open(circuit)
    for _ in range(3):
        await fail(circuit)
    assert await is_open(circuit)


async def test_one_call_that_hangs_opens_it() -> None:
    """Calls that queue for one another would else wait out the timeout one by one."""
    circuit = Circuit(timeout=PAUSE, pause=PAUSE)
    with pytest.raises(TimeoutError):
        async with circuit.call():
            await asyncio.Event().wait()
    assert await is_open(circuit)


@pytest.mark.parametrize("error", [ResponseError, KeyError])
async def test_a_refusal_is_an_answer(error: type[Exception]) -> None:
    """A Redis that refuses is there, and what was asked was wrong."""
    circuit = Circuit(timeout=None, failures=1, pause=PAUSE)
    await fail(circuit, error)
    assert not await is_open(circuit)


async def test_a_failure_does_not_count_where_another_call_was_answered_meanwhile() -> None:
    """One dead connection among living ones says nothing of Redis."""
    circuit = Circuit(timeout=None, failures=1, pause=PAUSE)
    call = Call(circuit)
    await asyncio.sleep(0)
    assert not await is_open(circuit)
    call.set_exception(LostError())
    with pytest.raises(LostError):
        await call.task
    assert not await is_open(circuit)


async def test_exactly_one_call_is_the_trial_and_its_answer_closes_it() -> None:
    """A service that has just come back is not stormed."""
    circuit = Circuit(timeout=None, failures=1, pause=PAUSE)
    await fail(circuit)
    call = await trial(circuit)
    assert all(await asyncio.gather(*(is_open(circuit) for _ in range(50))))
    call.set_result(None)
    await call.task
    assert not any(await asyncio.gather(*(is_open(circuit) for _ in range(50))))


async def test_a_trial_that_fails_opens_it_anew() -> None:
    """For another pause, after which there is another trial."""
    circuit = Circuit(timeout=None, failures=3, pause=PAUSE)
    for _ in range(3):
        await fail(circuit)
    call = await trial(circuit)
    call.set_exception(LostError())
    with pytest.raises(LostError):
        await call.task
    assert await is_open(circuit)
    again = await trial(circuit)
    again.set_result(None)
    await again.task
    assert not await is_open(circuit)


async def test_a_trial_whose_caller_is_gone_makes_room_for_the_next() -> None:
    """Else it would be open for ever."""
    circuit = Circuit(timeout=None, failures=1, pause=PAUSE)
    await fail(circuit)
    call = await trial(circuit)
    call.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call.task
    assert not await is_open(circuit)


async def test_what_was_under_way_when_it_opened_does_not_keep_it_open() -> None:
    """The pause counts from the opening."""
    circuit = Circuit(timeout=None, failures=1, pause=2)
    late = Call(circuit)
    await asyncio.sleep(0)
    await fail(circuit)
    loop = asyncio.get_running_loop()
    opened = loop.time()
    loop.call_at(opened + 1.5, late.set_exception, LostError())
    call = await trial(circuit)
    assert 1.9 < loop.time() - opened < 3.4
    call.set_result(None)
    await call.task
    with pytest.raises(LostError):
        await late.task


async def test_an_answer_that_still_comes_closes_it() -> None:
    """It was slow, and not away."""
    circuit = Circuit(timeout=None, failures=1, pause=DEADLINE)
    late = Call(circuit)
    await asyncio.sleep(0)
    await fail(circuit)
    assert await is_open(circuit)
    late.set_result(None)
    await late.task
    assert not await is_open(circuit)


@pytest.fixture
async def hasty(own_server: Server) -> AsyncIterator[Client]:
    """A client that waits one second."""
    client = make_client(own_server.url, timeout=1, connect_timeout=1)
    yield client
    await client.aclose()


async def answered(call: Callable[[], Awaitable[T]]) -> T:
    """Call until there is an answer."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(StoreUnavailableError):
                return await call()
            await asyncio.sleep(0)


async def refused_after(call: Callable[[], Awaitable[object]]) -> float:
    """Return how many seconds a call takes to be refused."""
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match="does not answer"):
        await call()
    return time.monotonic() - began


async def test_a_redis_that_hangs_costs_the_timeout_once(
    own_server: Server, hasty: Client, make_store: MakeStore
) -> None:
    """However many calls come at once; what comes later fails at once, until it answers again."""
    store = make_store(client=hasty)
    await asyncio.gather(*(store.ping() for _ in range(30)))
    with hanging(own_server):
        began = time.monotonic()
        calls = (store.ping() for _ in range(200))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 5
        assert all(isinstance(outcome, StoreUnavailableError) for outcome in outcomes)
        spans = await asyncio.gather(*(refused_after(store.ping) for _ in range(20)))
        assert len([span for span in spans if span > 0.9]) <= 1  # the trial, if it is due
    await answered(store.ping)
    await asyncio.gather(*(store.ping() for _ in range(30)))


async def test_calls_that_queue_for_one_draft_do_not_wait_one_after_the_other(
    own_server: Server, hasty: Client, make_store: MakeStore
) -> None:
    """One task at a time loads a draft, and the others find the circuit open."""
    store = make_store(client=hasty)
    draft = await store.create(new_draft(), band_nodes())
    cache = CopyCache(store, max_bytes=1_000_000, max_count=10)
    with hanging(own_server):
        began = time.monotonic()
        calls = (cache.get(draft.id, ROOT, fresh=True) for _ in range(50))
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert time.monotonic() - began < 5
        assert all(isinstance(outcome, StoreUnavailableError) for outcome in outcomes)
    copy = await answered(lambda: cache.get(draft.id, ROOT, fresh=True))
    assert copy is not None


async def test_a_redis_that_hangs_is_tried_by_one_call_at_a_time(
    own_server: Server, hasty: Client, make_store: MakeStore
) -> None:
    """What it was sent, it carries out when it goes on: the first call, and each trial."""
    store = make_store(client=hasty)
    await asyncio.gather(*(store.ping() for _ in range(20)))
    await hasty.config_resetstat()
    slow = 0
    with hanging(own_server):
        async with asyncio.timeout(DEADLINE):
            while slow < 3:
                began = time.monotonic()
                calls = (store.ping() for _ in range(20 if slow else 1))
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(outcome, StoreUnavailableError) for outcome in outcomes)
                slow += time.monotonic() - began > 0.9
    await answered(store.ping)
    stats = await hasty.info("commandstats")
    assert stats["cmdstat_ping"]["calls"] <= slow + 1


async def test_a_late_reply_is_nobodys(own_server: Server, keys: Keys) -> None:
    """A connection whose call was given up is dropped, or the next call would get that reply."""
    hasty = make_client(own_server.url, timeout=0.2, max_connections=1)
    sessions = SessionIndex(hasty, ttl=timedelta(minutes=5), keys=keys)
    for number in range(3):
        await sessions.claim(f"s{number}", "Band:1", f"draft of {number}")
    with hanging(own_server), pytest.raises(StoreUnavailableError):
        await sessions.find("s0", "Band:1")
    for number in range(3):
        found = await answered(partial(sessions.find, f"s{number}", "Band:1"))
        assert found == f"draft of {number}"
    await hasty.aclose()


async def test_a_redis_that_is_gone_is_found_again(
    own_server: Server, own_client: Client, make_store: MakeStore
) -> None:
    """Lost connections open it too, and nobody has to do anything when Redis is back."""
    store = make_store(client=own_client)
    await asyncio.gather(*(store.ping() for _ in range(10)))
    await asyncio.to_thread(own_server.stop)
    causes = []
    for _ in range(4):
        with pytest.raises(StoreUnavailableError) as caught:
            await store.ping()
        causes.append(type(caught.value.__cause__))
    assert causes == [LostError, LostError, LostError, CircuitOpenError]
    await asyncio.to_thread(own_server.start)
    await answered(store.ping)


async def test_a_redis_that_refuses_stays_asked(own_client: Client, make_store: MakeStore) -> None:
    """Without memory it takes no changes, and drafts can still be read."""
    store = make_store(client=own_client)
    draft = await store.create(new_draft(), band_nodes())
    await own_client.config_set("maxmemory", "1")
    for _ in range(5):
        with pytest.raises(StoreUnavailableError):
            await store.create(new_draft(), band_nodes())
    assert await store.read(draft.id, ROOT) is not None
