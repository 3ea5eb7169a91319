"""One edit, against a strawberry-django nested update mutation of the same cluster."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from benchmarks import documents
from benchmarks.client import Client, make_editors, run_clients, session_at
from benchmarks.measure import Load, Plot, Request, Result, at_least, in_turns
from benchmarks.orders.models import PlainOrder
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

# How many children, the target, and how many clients.
SIZES = ((100, 5, 4), (1_000, 50, 2))


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """Clients with a draft of their own each; and with a form of an order of their own each."""
    for lines, target, clients in SIZES:
        orders = [make_order(lines) for _ in range(clients)]
        forms = [form(pk) for pk in orders]
        keys = line_keys(orders[0], clients)
        edit, update = run_clients(_drive(bench, orders[0], keys, forms))
        if [form(pk) for pk in orders] != forms:
            raise RuntimeError("The nested update did not save what it was sent.")
        yield Result(
            what=f"One edit among {lines:,} children",
            against="a strawberry-django nested update mutation",
            ours=edit.rate,
            theirs=update.rate,
            unit="requests/s",
            target=at_least(target),
            note=f"median {edit.percentile(50):,.1f} ms against {update.percentile(50):,.1f} ms",
        )


async def _drive(
    bench: Bench, pk: int, keys: list[str], forms: list[dict[str, Any]]
) -> tuple[Load, Load]:
    with bench.worker() as worker:
        async with session_at(worker) as client:
            editors = await make_editors(client, pk, keys)
            return await in_turns(
                [editor.edit for editor in editors],
                [sent_form(client, each) for each in forms],
                rounds=bench.count(5, 1),
                seconds=bench.count(2, 1),
            )


def form(pk: int) -> dict[str, Any]:
    """Return an order as a form sends it, with all its lines."""
    order = PlainOrder.objects.get(pk=pk)
    return {
        "id": str(pk),
        "number": order.number,
        "customer": order.customer,
        "status": order.status,
        "placed": str(order.placed),
        "notes": order.notes,
        "lines": [
            {
                "id": str(line.pk),
                "product": line.product,
                "quantity": line.quantity,
                "price": str(line.price),
                "note": line.note,
            }
            for line in order.lines.all()
        ],
    }


def sent_form(client: Client, data: dict[str, Any]) -> Request:
    """Return what sends a form in which one field of one line has changed."""
    counter = itertools.count(1)

    async def send() -> None:
        data["lines"][0]["note"] = str(next(counter))
        await client.post(documents.NESTED_UPDATE, data=data)

    return send
