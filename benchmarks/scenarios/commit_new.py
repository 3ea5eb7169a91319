"""A commit of a new cluster, against the fewest statements that could save its rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from asgiref.sync import sync_to_async
from django.db import transaction

from benchmarks.inprocess import commit_draft, run, stage_new, timed, timed_sync
from benchmarks.measure import Plot, Result, at_most, median
from benchmarks.orders.models import Invoice, InvoiceLine, Order, OrderLine
from benchmarks.rows import line_values, root_values
from benchmarks.servers import Bench


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """Both in one process, in turns; each time another cluster, which is staged before."""
    lines = bench.count(5_000, 1_000)
    ours, theirs = _times(bench, "Order", _bulk_create, lines, bench.count(3, 1))
    yield Result(
        what=f"A commit of a new cluster of {lines:,} children",
        against="bulk_create in one transaction",
        ours=ours,
        theirs=theirs,
        unit="ms",
        target=at_most(2),
    )
    ours, theirs = _times(bench, "Invoice", _save_each, lines, bench.count(2, 1))
    yield Result(
        what=f"A commit of a new cluster of {lines:,} children that have a save() of their own",
        against="save() of each in one transaction",
        ours=ours,
        theirs=theirs,
        unit="ms",
        target=at_most(1.2),
    )


def _times(
    bench: Bench, name: str, save: Callable[[int], object], lines: int, rounds: int
) -> tuple[float, float]:
    async def drive() -> tuple[list[float], list[float]]:
        ours: list[float] = []
        theirs: list[float] = []
        before = await sync_to_async(_count)(name)
        for _ in range(rounds):
            theirs.append(await timed_sync(lambda: save(lines)))
            draft = await stage_new(name, lines)
            ours.append(await timed(lambda: commit_draft(name, draft)))  # noqa: B023 - at once
        if await sync_to_async(_count)(name) != before + 2 * rounds * lines:
            raise RuntimeError("Not all was saved.")
        return ours, theirs

    ours, theirs = run(bench, drive)
    return median(ours) * 1e3, median(theirs) * 1e3


def _count(name: str) -> int:
    return OrderLine.objects.count() if name == "Order" else InvoiceLine.objects.count()


def _bulk_create(count: int) -> None:
    order = Order(**root_values())
    lines = [
        OrderLine(order=order, sort_order=place, **values)
        for place, values in enumerate(line_values(count))
    ]
    with transaction.atomic():
        order.save()
        OrderLine.objects.bulk_create(lines)


def _save_each(count: int) -> None:
    invoice = Invoice(**root_values())
    lines = [
        InvoiceLine(invoice=invoice, sort_order=place, **values)
        for place, values in enumerate(line_values(count))
    ]
    with transaction.atomic():
        invoice.save()
        for line in lines:
            line.invoice = invoice
            line.save()
