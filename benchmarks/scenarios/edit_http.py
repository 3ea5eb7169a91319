"""One edit over HTTP, against a trivial field through the same server."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client import make_editors, run_clients, session_at
from benchmarks.measure import Load, Plot, Result, at_least, in_turns
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

CLIENTS = 16
LINES = 100


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """16 clients, each with a draft of its own of an order of 100 lines."""
    pk = make_order(LINES)
    keys = line_keys(pk, CLIENTS)
    edit, ping = run_clients(_drive(bench, pk, keys))
    yield Result(
        what="One edit over HTTP",
        against="a trivial field through the same server",
        ours=edit.rate,
        theirs=ping.rate,
        unit="requests/s",
        target=at_least(0.7),
        note=f"p99 {edit.percentile(99):.1f} ms against {ping.percentile(99):.1f} ms; the worker "
        f"computes {edit.each['cpu'] * 1e3:.2f} ms against {ping.each['cpu'] * 1e3:.2f} ms",
    )


async def _drive(bench: Bench, pk: int, keys: list[str]) -> tuple[Load, Load]:
    with bench.worker() as worker:
        async with session_at(worker) as client:
            editors = await make_editors(client, pk, keys)
            return await in_turns(
                [editor.edit for editor in editors],
                [client.ping for _ in editors],
                **bench.turns,
                meters=(worker.meter, worker.meter),
            )
