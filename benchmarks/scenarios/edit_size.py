"""The same edit in a cluster of 10,000 children, against one of 10."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping

from benchmarks.client import make_editors, session_at
from benchmarks.measure import Load, Plot, Result, at_least, at_most, in_turns
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench, Worker

CLIENTS = 8
SMALL = 10


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """8 clients, each with a draft of its own; a worker for each size, which opened none."""
    sizes = (SMALL, bench.count(10_000, 2_000))
    orders = {lines: make_order(lines) for lines in sizes}
    keys = {lines: line_keys(pk, CLIENTS) for lines, pk in orders.items()}
    loads, resident = asyncio.run(_drive(bench, orders, keys))
    small, large = (loads[str(lines)] for lines in sizes)
    what, against = f"An edit among {sizes[1]:,} children", f"among {sizes[0]}"
    yield Result(
        what=what,
        against=against,
        ours=large.rate,
        theirs=small.rate,
        unit="requests/s",
        target=at_least(0.9),
        note=f"the worker computes {large.each['cpu'] * 1e3:.2f} ms against "
        f"{small.each['cpu'] * 1e3:.2f} ms",
    )
    yield Result(
        what=f"{what}: moved to and from Redis",
        against=against,
        ours=large.each["moved"],
        theirs=small.each["moved"],
        unit="bytes an edit",
        target=at_most(1.1),
    )
    yield Result(
        what=f"{what}: memory of the worker after it",
        against=against,
        ours=resident[sizes[1]] / 2**20,
        theirs=resident[sizes[0]] / 2**20,
        unit="MiB",
        target=at_most(1.1),
        note=f"grows by {large.each['resident']:,.0f} bytes an edit against "
        f"{small.each['resident']:,.0f}",
    )


async def _drive(
    bench: Bench, orders: Mapping[int, int], keys: Mapping[int, list[str]]
) -> tuple[dict[str, Load], dict[int, int]]:
    with bench.worker() as opener, bench.worker() as first, bench.worker() as second:
        workers = dict(zip(orders, (first, second), strict=True))
        async with session_at(opener) as client:
            editors = {
                lines: await make_editors(client, pk, keys[lines]) for lines, pk in orders.items()
            }
            loads = await in_turns(
                {
                    str(lines): [each.at(workers[lines]).edit for each in editors[lines]]
                    for lines in orders
                },
                rounds=bench.count(5, 2),
                seconds=bench.pick(2.5, 1),
                meters={str(lines): _meter(bench, workers[lines]) for lines in orders},
            )
        return loads, {lines: worker.resident for lines, worker in workers.items()}


def _meter(bench: Bench, worker: Worker) -> Callable[[], dict[str, float]]:
    redis = bench.redis()

    def read() -> dict[str, float]:
        stats = redis.info("stats")
        moved = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
        return {**worker.meter(), "moved": moved, "resident": worker.resident}

    return read
