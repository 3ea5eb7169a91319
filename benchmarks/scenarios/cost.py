"""What each thing costs by the size of the cluster: the plot, and no target."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator

from asgiref.sync import sync_to_async

from benchmarks.client import Editor, run_clients, session_at
from benchmarks.inprocess import commit_draft, edit_line, open_draft, run, timed, timed_sync
from benchmarks.measure import Plot, Result, median
from benchmarks.rows import line_keys, make_order
from benchmarks.scenarios.commit_one import changed_order
from benchmarks.scenarios.edit_nested import form, sent_form
from benchmarks.servers import Bench

MOST_SAVED_WHOLE = 1_000
"""Beyond it, what saves each child takes too long for a benchmark."""


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """One client, one thing after the other; medians."""
    sizes = [10, 100, 1_000] if bench.quick else [10, 100, 1_000, 10_000]
    costs = [{**_over_http(bench, lines), **_in_process(bench, lines)} for lines in sizes]
    yield Plot(
        name="cost",
        title="Cost by the size of the cluster",
        x_title="children of the cluster",
        y_title="milliseconds",
        x=sizes,
        curves={name: [cost.get(name) for cost in costs] for name in costs[0]},
    )


def _over_http(bench: Bench, lines: int) -> dict[str, float]:
    pk = make_order(lines)
    (key,) = line_keys(pk, 1)
    times = bench.count(30, 10)
    filled = form(pk) if lines <= MOST_SAVED_WHOLE else None

    async def drive() -> dict[str, float]:
        with bench.worker() as worker:
            async with session_at(worker) as client:
                editor = Editor(client=client, draft=await client.open(pk), key=key)
                costs = {"one edit, over HTTP": await _median(editor.edit, times)}
                if filled is not None:
                    send = sent_form(client, filled)
                    name = "nested update mutation of strawberry-django, over HTTP"
                    costs[name] = await _median(send, times if lines < MOST_SAVED_WHOLE else 3)
                return costs

    return run_clients(drive())


def _in_process(bench: Bench, lines: int) -> dict[str, float]:
    pk = make_order(lines)
    (key,) = line_keys(pk, 1)

    async def committed(number: int) -> float:
        draft = await open_draft(pk)
        await edit_line(draft, key, str(number))
        return await timed(lambda: commit_draft("Order", draft))

    async def drive() -> dict[str, float]:
        opened = [await timed(lambda: open_draft(pk)) for _ in range(4)]
        commits = [await committed(number) for number in range(6)]
        costs = {
            "opening a draft": median(opened[1:]) * 1e3,
            "commit of one change": median(commits[1:]) * 1e3,
        }
        if lines <= MOST_SAVED_WHOLE:
            order = await sync_to_async(changed_order)(pk)
            costs["ClusterableModel.save()"] = await timed_sync(order.save) * 1e3
        return costs

    return run(bench, drive)


async def _median(request: Callable[[], Awaitable[object]], times: int) -> float:
    """Return the median of some requests behind one to warm up, in milliseconds."""
    spent = []
    await request()
    for _ in range(times):
        start = time.perf_counter()
        await request()
        spent.append(time.perf_counter() - start)
    return median(spent) * 1e3
