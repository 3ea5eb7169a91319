"""What a draft takes in Redis, against the JSON of its cluster."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.inprocess import open_draft, run
from benchmarks.measure import Plot, Result, at_most
from benchmarks.orders.models import Order
from benchmarks.rows import make_order
from benchmarks.servers import Bench

LINES = 1_000


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """`MEMORY USAGE` of every key of an unchanged draft, and `to_json()` of django-modelcluster."""
    pk = make_order(LINES)
    draft = run(bench, lambda: open_draft(pk))
    with bench.redis() as redis:
        keys = list(redis.scan_iter(match=f"*{{draft:{draft}}}*", count=1000))
        used = {
            key.rpartition(b":")[2].decode(): redis.memory_usage(key, samples=0) for key in keys
        }
    json = len(Order.objects.get(pk=pk).to_json().encode())
    yield Result(
        what=f"Redis memory of a draft of {LINES:,} unchanged children",
        against="the JSON of the cluster",
        ours=sum(used.values()) / 1024,
        theirs=json / 1024,
        unit="KiB",
        target=at_most(1.5),
        note=", ".join(f"{name} {size / 1024:,.1f}" for name, size in sorted(used.items())),
    )
