"""The same edit in a cluster of 10,000 children, against one of 10."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from benchmarks.client import make_editors, run_clients, session_at
from benchmarks.measure import Load, Plot, Result, at_least, at_most, in_turns
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench, Worker

CLIENTS = 8
SMALL = 10


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """8 clients, each with a draft of its own; a worker for each size, which opened none."""
    lines = bench.count(10_000, 1_000)
    orders = [(pk, line_keys(pk, CLIENTS)) for pk in (make_order(lines), make_order(SMALL))]
    (large, small), resident = run_clients(_drive(bench, orders))
    what, against = f"An edit among {lines:,} children", f"among {SMALL}"
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
        ours=resident[0] / 2**20,
        theirs=resident[1] / 2**20,
        unit="MiB",
        target=at_most(1.1),
        note=f"grows by {large.each['resident']:,.0f} bytes an edit against "
        f"{small.each['resident']:,.0f}",
    )


async def _drive(
    bench: Bench, orders: Sequence[tuple[int, list[str]]]
) -> tuple[tuple[Load, Load], list[int]]:
    with bench.worker() as opener, bench.worker() as first, bench.worker() as second:
        workers = (first, second)
        async with session_at(opener) as client:
            editors = [await make_editors(client, pk, keys) for pk, keys in orders]
            edits = [
                [editor.at(worker).edit for editor in some]
                for worker, some in zip(workers, editors, strict=True)
            ]
            meters = (_meter(bench, first), _meter(bench, second))
            loads = await in_turns(*edits, **bench.turns, meters=meters)
        return loads, [worker.resident for worker in workers]


def _meter(bench: Bench, worker: Worker) -> Callable[[], dict[str, float]]:
    redis = bench.redis()

    def read() -> dict[str, float]:
        stats = redis.info("stats")
        moved = stats["total_net_input_bytes"] + stats["total_net_output_bytes"]
        return {**worker.meter(), "moved": moved, "resident": worker.resident}

    return read
