"""A commit of one change, against `ClusterableModel.save()`."""

from __future__ import annotations

from collections.abc import Iterator

from asgiref.sync import sync_to_async

from benchmarks.inprocess import (
    commit_draft,
    counted_queries,
    edit_line,
    open_draft,
    run,
    timed,
    timed_sync,
)
from benchmarks.measure import Plot, Result, at_most, median
from benchmarks.orders.models import Order, OrderLine
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

FEW = 10
ENOUGH_SECONDS = 30


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """Both in one process, in turns; the cluster is loaded, and the draft open, before."""
    lines = bench.count(5_000, 500)
    pks = {count: make_order(count) for count in (lines, FEW)}
    keys = {count: line_keys(pk, 1)[0] for count, pk in pks.items()}

    async def drive() -> tuple[list[float], list[float], dict[int, int], int]:
        drafts = {count: await open_draft(pk) for count, pk in pks.items()}
        ours: list[float] = []
        theirs: list[float] = []
        saved_by = 0
        for number in range(bench.count(3, 1)):
            # Each save by others is merged by the next commit: that comes first, and is not timed.
            for turn in range(6):
                note = f"{number}.{turn}"
                await edit_line(drafts[lines], keys[lines], note)
                spent = await timed(lambda: commit_draft("Order", drafts[lines], keep_open=True))
                if turn:
                    ours.append(spent)
                await sync_to_async(_check)(keys[lines], note)
            order = await sync_to_async(changed_order)(pks[lines])
            async with counted_queries() as queries:
                theirs.append(await timed_sync(order.save))
            saved_by = len(queries)
            if sum(theirs) > ENOUGH_SECONDS:
                break
        counts = {}
        for count, draft in drafts.items():
            for note in ("a", "b"):
                await edit_line(draft, keys[count], note)
                async with counted_queries() as queries:
                    await commit_draft("Order", draft, keep_open=True)
                counts[count] = len(queries)
        return ours, theirs, counts, saved_by

    ours, theirs, counts, saved_by = run(bench, drive)
    what = f"A commit of 1 change in {lines:,} children"
    yield Result(
        what=what,
        against="ClusterableModel.save()",
        ours=median(ours) * 1e3,
        theirs=median(theirs) * 1e3,
        unit="ms",
        target=at_most(1 / 200),
        note=f"{counts[lines]} queries against {saved_by:,}",
    )
    yield Result(
        what=f"{what}: queries",
        against=f"in {FEW}",
        ours=counts[lines],
        theirs=counts[FEW],
        unit="queries",
        target=at_most(1),
    )


def _check(key: str, note: str) -> None:
    if OrderLine.objects.get(pk=key.partition(":")[2]).note != note:
        raise RuntimeError("The commit has saved nothing.")


def changed_order(pk: int) -> Order:
    """Load an order and change one of its lines, not the one that drafts change."""
    order = Order.objects.get(pk=pk)
    line = list(order.lines.all())[-1]
    line.note = "changed by save()"
    order.lines.add(line)
    return order
