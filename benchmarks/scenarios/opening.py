"""Opening a draft, against a plain fetch of the same rows into instances."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.inprocess import counted_queries, open_draft, run, timed, timed_sync
from benchmarks.measure import Plot, Result, at_most, median
from benchmarks.orders.models import OrderLine
from benchmarks.rows import make_order
from benchmarks.servers import Bench

LINES = 5_000
FEW = 10


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """Both in one process, in turns; the median of each."""
    many, few = make_order(LINES), make_order(FEW)
    rounds = bench.count(9, 3)

    async def drive() -> tuple[list[float], list[float], list[int]]:
        ours: list[float] = []
        theirs: list[float] = []
        for _ in range(rounds + 1):
            theirs.append(await timed_sync(lambda: list(OrderLine.objects.filter(order=many))))
            ours.append(await timed(lambda: open_draft(many)))
        counts = []
        for pk in (many, few):
            async with counted_queries() as queries:
                await open_draft(pk)
            counts.append(len(queries))
        return ours[1:], theirs[1:], counts

    ours, theirs, counts = run(bench, drive)
    yield Result(
        what=f"Opening a draft of {LINES:,} children",
        against="list() of a queryset of the same rows",
        ours=median(ours) * 1e3,
        theirs=median(theirs) * 1e3,
        unit="ms",
        target=at_most(2),
    )
    yield Result(
        what=f"Opening a draft of {LINES:,} children: queries",
        against=f"of {FEW}",
        ours=counts[0],
        theirs=counts[1],
        unit="queries",
        target=at_most(1),
    )
