"""A commit of one change, against `ClusterableModel.save()`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Spent:
    """Seconds, each time, and the queries of one time by what was done."""

    commits: list[float] = field(default_factory=list)
    kept_open: list[float] = field(default_factory=list)
    saves: list[float] = field(default_factory=list)
    queries: dict[str, int] = field(default_factory=dict)


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """Both in one process, in turns; the cluster is loaded, and the draft open, before."""
    lines = bench.count(5_000, 500)
    pks = {count: make_order(count) for count in (lines, FEW)}
    keys = {count: line_keys(pk, 1)[0] for count, pk in pks.items()}
    spent = Spent()

    async def commit(count: int, note: str, *, keep_open: bool = False) -> float:
        draft = await open_draft(pks[count])
        await edit_line(draft, keys[count], note)
        seconds = await timed(lambda: commit_draft("Order", draft, keep_open=keep_open))
        await sync_to_async(_check)(keys[count], note)
        return seconds

    async def drive() -> None:
        await commit(lines, "to warm up")
        for number in range(bench.count(3, 1)):
            spent.commits += [await commit(lines, f"{number}.{turn}") for turn in range(7)]
            spent.kept_open.append(await commit(lines, f"{number} kept", keep_open=True))
            order = await sync_to_async(changed_order)(pks[lines])
            async with counted_queries() as queries:
                spent.saves.append(await timed_sync(order.save))
            spent.queries["save"] = len(queries)
            if sum(spent.saves) > ENOUGH_SECONDS:
                break
        for count, pk in pks.items():
            draft = await open_draft(pk)
            await edit_line(draft, keys[count], "counted")
            async with counted_queries() as queries:
                await commit_draft("Order", draft)
            spent.queries[str(count)] = len(queries)

    run(bench, drive)
    what = f"A commit of 1 change in {lines:,} children"
    save = median(spent.saves) * 1e3
    yield Result(
        what=what,
        against="ClusterableModel.save()",
        ours=median(spent.commits) * 1e3,
        theirs=save,
        unit="ms",
        target=None if bench.quick else at_most(1 / 200),  # which is about 5,000
        note=f"{spent.queries[str(lines)]} queries against {spent.queries['save']:,}",
    )
    yield Result(
        what=f"{what}: queries",
        against=f"in {FEW}",
        ours=spent.queries[str(lines)],
        theirs=spent.queries[str(FEW)],
        unit="queries",
        target=at_most(1),
    )
    yield Result(
        what=f"{what}, the draft kept open",
        against="ClusterableModel.save()",
        ours=median(spent.kept_open) * 1e3,
        theirs=save,
        unit="ms",
        note="what is saved is read anew, as the base from which the draft goes on",
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
