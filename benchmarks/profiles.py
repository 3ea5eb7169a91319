"""`python -m benchmarks.profiles` tells where a worker's time goes: of an edit, of a delivery."""

from __future__ import annotations

import os
import pstats
import re
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from benchmarks import documents
from benchmarks.client import make_editors, run_clients, session_at
from benchmarks.crowd import Crowd
from benchmarks.measure import closed_loop
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench, Worker, servers

APPLICATION = "benchmarks.orders.profiled:application"
LINES = 100
SECONDS = 4.0
WATCHERS = 200
TOP = 10

Drive = Callable[[Worker, int, str], Coroutine[Any, Any, int]]


async def edits(worker: Worker, pk: int, key: str) -> int:
    """Edit over HTTP, one edit after the other; returns how often."""
    async with session_at(worker) as client:
        [editor] = await make_editors(client, pk, [key])
        return (await closed_loop([editor.edit], seconds=SECONDS)).count


async def deliveries(worker: Worker, pk: int, key: str) -> int:
    """Edit a draft that many watch as one viewer; returns how many events they got."""
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(session_at(worker))
        draft = await client.open(pk)

        async def edit(version: int) -> None:
            await client.post(documents.EDIT, draft=draft, key=key, note=str(version))

        crowd = Crowd(worker, draft, edit)
        stack.push_async_callback(crowd.leave)
        await crowd.gather([client] * WATCHERS, documents.WATCH, draft)
        return len((await crowd.drive(SECONDS)).latencies)


DRIVES: dict[str, Drive] = {"edit": edits, "delivery": deliveries}


def main() -> int:
    """Print the top ten of each as Markdown."""
    with servers(quick=True) as bench:
        for name, drive in DRIVES.items():
            print("\n".join(_profiled(bench, name, drive)), flush=True)  # noqa: T201 - a command
    return 0


def _profiled(bench: Bench, name: str, drive: Drive) -> Iterator[str]:
    path = bench.directory / f"{name}.profile"
    os.environ["PROFILE"] = str(path)
    pk = make_order(LINES)
    [key] = line_keys(pk, 1)
    with bench.worker(APPLICATION) as worker:
        count = run_clients(drive(worker, pk, key))
    stats: Any = pstats.Stats(str(path))
    rows = {where: row for where, row in stats.stats.items() if "select" not in where[2]}
    total = sum(row[2] for row in rows.values())
    yield f"One {name}: {total / count * 1e6:,.0f} µs as profiled, {count:,} of them"
    yield ""
    yield "| function | calls each | µs each | share |"
    yield "| --- | --- | --- | --- |"
    for where, row in sorted(rows.items(), key=lambda item: -item[1][2])[:TOP]:
        share = 100 * row[2] / total
        each = row[2] / count * 1e6
        yield f"| {_named(where)} | {row[1] / count:,.1f} | {each:,.1f} | {share:.1f} % |"
    yield ""


def _named(where: tuple[str, int, str]) -> str:
    path, _, function = where
    if path == "~":
        return f"`{re.sub(r' at 0x[0-9a-f]+', '', function)}`"
    parts = Path(path).parts
    known = [at for at, part in enumerate(parts) if part in {"site-packages", "gql_cluster"}]
    at = known[-1] if known else len(parts) - 2
    inside = parts[at + (parts[at] == "site-packages") :]
    return f"`{'/'.join(inside)}: {function}`"


if __name__ == "__main__":
    sys.exit(main())
