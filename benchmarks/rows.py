"""The rows that are measured: orders and invoices of any number of lines."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

_numbers = itertools.count(1)


def root_values() -> dict[str, Any]:
    """Return the fields of an order."""
    return {
        "number": f"2026-{next(_numbers):06}",
        "customer": "Ada Lovelace and Daughters",
        "placed": date(2026, 11, 1),
        "notes": "To be delivered to the back door.",
    }


def line_values(count: int) -> Iterator[dict[str, Any]]:
    """Yield the fields of so many lines."""
    for number in range(count):
        yield {
            "product": f"Cog No. {number:05}",
            "quantity": 1 + number * 7 % 100,
            "price": Decimal(100 + number * 37 % 10_000) / 100,
            "note": "",
        }


def make_order(lines: int) -> int:
    """Save an order of so many lines, and return its primary key."""
    from benchmarks.orders.models import Order, OrderLine  # noqa: PLC0415 - apps load first

    order = Order(**root_values())
    order.save()
    OrderLine.objects.bulk_create(
        OrderLine(order=order, sort_order=place, **values)
        for place, values in enumerate(line_values(lines))
    )
    return int(order.pk)


def line_keys(pk: int, count: int) -> list[str]:
    """Return the keys that the first lines of an order have in its drafts."""
    from benchmarks.orders.models import OrderLine  # noqa: PLC0415 - apps load first

    pks = OrderLine.objects.filter(order=pk).values_list("pk", flat=True)[:count]
    return [f"OrderLine:{line}" for line in pks]
