"""What an idle subscriber takes of a worker's memory, against one of stock Strawberry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

from benchmarks import documents
from benchmarks.client import Client, Socket, connected_to, session_at
from benchmarks.measure import Plot, Result, at_most
from benchmarks.rows import make_order
from benchmarks.servers import STOCK, Bench, Worker

FEW = 50
LINES = 100
SETTLE_SECONDS = 5.0
"""Several beats of presence, so that all are known to be there."""
_AT_ONCE = 50


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """A worker with 50 subscribers, for what the first ones load, and then with so many more."""
    many = bench.count(1_000, 300)
    with bench.worker() as worker:
        ours = asyncio.run(_ours(worker, make_order(LINES), many))
    with bench.worker(STOCK) as worker:
        theirs = asyncio.run(_theirs(worker, many))
    yield Result(
        what=f"{many:,} idle subscribers",
        against="idle listen_to_channel subscriptions",
        ours=ours / 1024,
        theirs=theirs / 1024,
        unit="KiB each",
        target=at_most(1.3),
    )


async def _ours(worker: Worker, pk: int, many: int) -> float:
    async with session_at(worker) as client:
        return await _grown(worker, client, documents.WATCH, await client.open(pk), many)


async def _theirs(worker: Worker, many: int) -> float:
    async with connected_to(worker) as client:
        return await _grown(worker, client, documents.STOCK_WATCH, "stock", many)


async def _grown(worker: Worker, client: Client, document: str, draft: str, many: int) -> float:
    """Return how many bytes more the worker holds for each of so many more subscribers."""
    first = await _subscribed(client, document, draft, FEW)
    await asyncio.sleep(SETTLE_SECONDS)
    before = worker.resident
    rest = await _subscribed(client, document, draft, many)
    await asyncio.sleep(SETTLE_SECONDS)
    after = worker.resident
    await asyncio.gather(*(socket.close() for socket in [*first, *rest]))
    return (after - before) / many


async def _subscribed(client: Client, document: str, draft: str, count: int) -> Sequence[Socket]:
    sockets: list[Socket] = []
    for _ in range(0, count, _AT_ONCE):
        some = await asyncio.gather(*(client.socket() for _ in range(_AT_ONCE)))
        await asyncio.gather(*(socket.start(document, draft=draft) for socket in some))
        sockets += some
    return sockets
