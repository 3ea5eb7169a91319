"""Reading a whole draft of 1,000 children, against the same saved cluster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial

from benchmarks import documents
from benchmarks.client import run_clients, session_at
from benchmarks.measure import Load, Plot, Result, at_most, in_turns, median
from benchmarks.rows import make_order
from benchmarks.scenarios.reading_page import require_same_lines
from benchmarks.servers import Bench

CLIENTS = 4
LINES = 1_000


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """4 clients of one draft; and first reads, at a worker that has not seen the draft."""
    (draft, saved), first = run_clients(_drive(bench, make_order(LINES)))
    what = f"Reading a whole draft of {LINES:,} children"
    yield Result(
        what=what,
        against="the same saved cluster through the same schema",
        ours=draft.milliseconds,
        theirs=saved.milliseconds,
        unit="ms",
        target=at_most(1.2),
        note=f"the worker computes {draft.each['cpu'] * 1e3:.1f} ms against "
        f"{saved.each['cpu'] * 1e3:.1f} ms",
    )
    yield Result(
        what=f"{what}, at a worker that has not seen it",
        against="the saved cluster, one client",
        ours=median(first[0]) * 1e3,
        theirs=median(first[1]) * 1e3,
        unit="ms",
    )


async def _drive(
    bench: Bench, pk: int
) -> tuple[tuple[Load, Load], tuple[list[float], list[float]]]:
    with bench.worker() as opener, bench.worker() as worker:
        async with session_at(opener) as other:
            client = other.at(worker)
            read_saved = partial(client.post, documents.SAVED_WHOLE, id=str(pk))
            read_draft = partial(client.post, documents.DRAFT_WHOLE, id=await other.open(pk))
            require_same_lines(await read_draft(), await read_saved())
            loads = await in_turns(
                [read_draft] * CLIENTS,
                [read_saved] * CLIENTS,
                **bench.turns,
                meters=(worker.meter, worker.meter),
            )
            first: tuple[list[float], list[float]] = ([], [])
            for _ in range(bench.count(10, 3)):
                unseen = partial(client.post, documents.DRAFT_WHOLE, id=await other.open(pk))
                for read, spent in zip((unseen, read_saved), first, strict=True):
                    start = time.perf_counter()
                    await read()
                    spent.append(time.perf_counter() - start)
            return loads, first
