"""Edits by two workers, against one."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.client import make_editors, run_clients, session_at
from benchmarks.measure import Load, Plot, Result, at_least, in_turns
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

CLIENTS = 32
LINES = 100
CORES = 4


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """32 clients at one worker, and the same by halves at two: either way enough for each."""
    pk = make_order(LINES)
    two, one = run_clients(_drive(bench, pk, line_keys(pk, CLIENTS)))
    has_room = bench.cores.count >= CORES
    yield Result(
        what="Two workers",
        against="one worker",
        ours=two.rate,
        theirs=one.rate,
        unit="edits/s",
        target=at_least(1.7),
        note=""
        if has_room
        else f"with {bench.cores.count} cores, the second worker shares its core with the clients "
        "and with Redis",
    )
    yield Result(
        what="Two workers, by what they compute",
        against="one worker",
        ours=2 / two.each["cpu"],
        theirs=1 / one.each["cpu"],
        unit="edits/s of CPU",
        note="what they would do with a core each, and with Redis and the clients elsewhere",
    )


async def _drive(bench: Bench, pk: int, keys: list[str]) -> tuple[Load, Load]:
    second_core = frozenset({min(bench.cores.rest)})
    with bench.worker() as first, bench.worker(cores=second_core) as second:
        async with session_at(first) as client:
            editors = await make_editors(client, pk, keys)
            halves = [
                editor.at(worker)
                for editor, worker in zip(editors, [first, second] * CLIENTS, strict=False)
            ]
            return await in_turns(
                [editor.edit for editor in halves],
                [editor.edit for editor in editors],
                **bench.turns,
                meters=(lambda: {"cpu": first.cpu + second.cpu}, first.meter),
            )
