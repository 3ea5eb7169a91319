"""Reading 20 of 10,000 children of a draft, against the same from PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import msgspec

from benchmarks import documents
from benchmarks.client import Editor, run_clients, session_at
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
    (draft, saved), edited = run_clients(_drive(bench, pk, key))
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
        ours=median(edited[0]) * 1e3,
        theirs=median(edited[1]) * 1e3,
        unit="ms",
    )


async def _drive(
    bench: Bench, pk: int, key: str
) -> tuple[tuple[Load, Load], tuple[list[float], list[float]]]:
    with bench.worker() as worker:
        async with session_at(worker) as client:
            editor = Editor(client=client, draft=await client.open(pk), key=key)
            read_draft = partial(client.post, documents.DRAFT_PAGE, id=editor.draft, **PAGE)
            read_saved = partial(client.post, documents.SAVED_PAGE, id=str(pk), **PAGE)
            require_same_lines(await read_draft(), await read_saved())
            loads = await in_turns(
                [read_draft] * CLIENTS,
                [read_saved] * CLIENTS,
                **bench.turns,
                meters=(worker.meter, worker.meter),
            )
            edited: tuple[list[float], list[float]] = ([], [])
            for _ in range(bench.count(20, 5)):
                for read, spent in zip((read_draft, read_saved), edited, strict=True):
                    await editor.edit()
                    start = time.perf_counter()
                    await read()
                    spent.append(time.perf_counter() - start)
            return loads, edited


def require_same_lines(drafted: bytes, saved: bytes) -> None:
    """Raise an error where the reads don't return the same lines: else they can't be compared."""
    lines = msgspec.json.decode(saved)["data"]["order"]["lines"]
    if not lines or msgspec.json.decode(drafted)["data"]["draft"]["cluster"]["lines"] != lines:
        raise RuntimeError("The draft and what is saved are read differently.")
