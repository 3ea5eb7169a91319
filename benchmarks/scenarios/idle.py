"""What an idle subscriber takes of a worker's memory, against one of stock Strawberry."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from benchmarks.client import Client, connected_to, run_clients, session_at
from benchmarks.crowd import Crowd
from benchmarks.measure import Plot, Result, at_most
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import STOCK, Bench, Worker

FEW = 50
LINES = 100


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """A worker with 50 subscribers, for what the first ones load, and then with so many more."""
    many = bench.count(1_000, 200)
    settle = bench.count(6, 2)  # seconds: a beat of presence
    pk = make_order(LINES)
    (key,) = line_keys(pk, 1)
    with bench.worker() as worker:
        ours = run_clients(_ours(worker, pk, key, many, settle))
    with bench.worker(STOCK) as worker:
        theirs = run_clients(_theirs(worker, many, settle))
    yield Result(
        what=f"{many:,} idle subscribers",
        against="idle listen_to_channel subscriptions",
        ours=ours / 1024,
        theirs=theirs / 1024,
        unit="KiB each",
        target=at_most(1.3),
    )


async def _ours(worker: Worker, pk: int, key: str, many: int, settle: int) -> float:
    async with session_at(worker) as client:
        crowd = Crowd.of_draft(client, await client.open(pk), key)
        return await _grown(worker, crowd, client, many, settle)


async def _theirs(worker: Worker, many: int, settle: int) -> float:
    async with connected_to(worker) as client:
        return await _grown(worker, Crowd.of_stock(client, "stock"), client, many, settle)


async def _grown(worker: Worker, crowd: Crowd, client: Client, many: int, settle: int) -> float:
    """Return how many bytes more the worker holds for each of so many more subscribers."""
    await crowd.gather([client] * FEW)
    await asyncio.sleep(settle)
    before = worker.resident
    await crowd.gather([client] * many)
    await asyncio.sleep(settle)
    after = worker.resident
    if (await crowd.drive(0)).share < 100:
        raise RuntimeError("Not all were there to the end.")
    await crowd.leave()
    return (after - before) / many
