"""Reading a whole draft of 1,000 children, against the same saved cluster."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial

from benchmarks import documents
from benchmarks.client import session_at
from benchmarks.measure import Load, Plot, Result, at_most, in_turns, median
from benchmarks.rows import make_order
from benchmarks.servers import Bench

CLIENTS = 4
LINES = 1_000


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """4 clients of one draft; and first reads, at a worker that has not seen the draft."""
    loads, first = asyncio.run(_drive(bench, make_order(LINES)))
    draft, saved = loads["draft"], loads["saved"]
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
        ours=median(first["draft"]) * 1e3,
        theirs=median(first["saved"]) * 1e3,
        unit="ms",
    )


async def _drive(bench: Bench, pk: int) -> tuple[dict[str, Load], dict[str, list[float]]]:
    with bench.worker() as opener, bench.worker() as worker:
        async with session_at(opener) as other:
            client = other.at(worker)
            draft = await other.open(pk)
            read_saved = partial(client.post, documents.SAVED_WHOLE, id=str(pk))
            read_draft = partial(client.post, documents.DRAFT_WHOLE)
            loads = await in_turns(
                {
                    "draft": [partial(read_draft, id=draft)] * CLIENTS,
                    "saved": [read_saved] * CLIENTS,
                },
                rounds=bench.count(5, 2),
                seconds=bench.pick(2.5, 1),
                meters={"draft": worker.meter, "saved": worker.meter},
            )
            first: dict[str, list[float]] = {"draft": [], "saved": []}
            for _ in range(bench.count(10, 3)):
                draft = await other.open(pk)
                for name, read in {
                    "draft": partial(read_draft, id=draft),
                    "saved": read_saved,
                }.items():
                    start = time.perf_counter()
                    await read()
                    first[name].append(time.perf_counter() - start)
            return loads, first
