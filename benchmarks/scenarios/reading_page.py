"""Reading 20 of 10,000 children of a draft, against the same from PostgreSQL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from benchmarks import documents
from benchmarks.client import Editor, session_at
from benchmarks.measure import Load, Plot, Result, at_most, in_turns, median
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

CLIENTS = 4
PAGE: dict[str, Any] = {
    "filters": {"quantity": {"gt": 50}, "product": {"contains": "7"}},
    "ordering": [{"price": "DESC"}, {"product": "ASC"}],
}


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """4 clients of one draft, ordered by two fields and filtered by two."""
    lines = bench.count(10_000, 2_000)
    pk = make_order(lines)
    (key,) = line_keys(pk, 1)
    loads, edited = asyncio.run(_drive(bench, pk, key))
    draft, saved = loads["draft"], loads["saved"]
    what = f"Reading 20 of {lines:,} children of a draft, ordered and filtered"
    yield Result(
        what=what,
        against="the same from PostgreSQL",
        ours=draft.milliseconds,
        theirs=saved.milliseconds,
        unit="ms",
        target=at_most(1),
        note=f"the worker computes {draft.each['cpu'] * 1e3:.2f} ms against "
        f"{saved.each['cpu'] * 1e3:.2f} ms",
    )
    yield Result(
        what=f"{what}, right after an edit",
        against="the same from PostgreSQL, one client",
        ours=median(edited["draft"]) * 1e3,
        theirs=median(edited["saved"]) * 1e3,
        unit="ms",
    )


async def _drive(bench: Bench, pk: int, key: str) -> tuple[dict[str, Load], dict[str, list[float]]]:
    with bench.worker() as worker:
        async with session_at(worker) as client:
            editor = Editor(client=client, draft=await client.open(pk), key=key)
            reads = {
                "draft": partial(client.post, documents.DRAFT_PAGE, id=editor.draft, **PAGE),
                "saved": partial(client.post, documents.SAVED_PAGE, id=str(pk), **PAGE),
            }
            loads = await in_turns(
                {name: [read] * CLIENTS for name, read in reads.items()},
                rounds=bench.count(5, 2),
                seconds=bench.pick(2.5, 1),
                meters=dict.fromkeys(reads, worker.meter),
            )
            edited: dict[str, list[float]] = {name: [] for name in reads}
            for _ in range(bench.count(20, 5)):
                for name, read in reads.items():
                    await editor.edit()
                    start = time.perf_counter()
                    await read()
                    edited[name].append(time.perf_counter() - start)
            return loads, edited
