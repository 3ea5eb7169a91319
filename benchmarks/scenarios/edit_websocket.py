"""One edit over WebSocket, against the same script called by a bare client of Redis."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from redis.asyncio import Redis

from benchmarks.client import make_editors, run_clients, session_at
from benchmarks.inprocess import edit_line, open_draft
from benchmarks.measure import Load, Plot, Request, Result, at_least, in_turns
from benchmarks.orders.schema import schema
from benchmarks.rows import line_keys, make_order
from benchmarks.servers import Bench

CLIENTS = 16
LINES = 100


def measure(bench: Bench) -> Iterator[Result | Plot]:
    """16 sockets, each with a draft of its own of an order of 100 lines; 16 callers of Redis."""
    pk = make_order(LINES)
    keys = line_keys(pk, CLIENTS)
    edit, script = run_clients(_drive(bench, pk, keys))
    yield Result(
        what="One edit over WebSocket",
        against="EVALSHA of the same script, one Python client",
        ours=edit.rate,
        theirs=script.rate,
        unit="calls/s",
        target=at_least(0.15),
        note=f"p99 {edit.percentile(99):.1f} ms against {script.percentile(99):.1f} ms; the worker "
        f"computes {edit.each['cpu'] * 1e3:.2f} ms",
    )


async def _drive(bench: Bench, pk: int, keys: list[str]) -> tuple[Load, Load]:
    with bench.worker() as worker:
        async with session_at(worker) as client, Redis.from_url(bench.redis_url) as redis:
            editors = [await each.on_socket() for each in await make_editors(client, pk, keys)]
            calls = [await _recorded(redis, pk, key) for key in keys]
            await schema.engine.aclose()
            return await in_turns(
                [editor.edit for editor in editors],
                calls,
                **bench.turns,
                meters=(worker.meter, dict),
            )


async def _recorded(redis: Any, pk: int, key: str) -> Request:
    """Return what sends a real edit's call again and again, each time as the next version.

    The engine makes two edits of a new draft. What counts up from the first call to the second is
    the version; all else is sent as it was, so that each call writes what an edit writes.
    """
    draft = await open_draft(pk)
    first = await _call_of(lambda: edit_line(draft, key, "1"))
    last = await _call_of(lambda: edit_line(draft, key, "2"))
    counted = [place for place, pair in enumerate(zip(first, last, strict=True)) if _next(*pair)]
    call = list(last)

    async def again() -> None:
        for place in counted:
            call[place] = int(call[place]) + 1
        reply = await redis.execute_command(*call)
        if reply[0] != b"accepted":
            raise RuntimeError(reply)

    return again


def _next(before: Any, after: Any) -> bool:
    try:
        return int(after) == int(before) + 1
    except ValueError:
        return False


async def _call_of(edit: Callable[[], Awaitable[None]]) -> Sequence[Any]:
    """Return the call that an edit sends to Redis to be kept."""
    client: Any = schema.engine.parts.client
    sent: list[Sequence[Any]] = []
    send = client.execute_command

    async def sending(*call: Any, **options: Any) -> Any:
        reply = await send(*call, **options)
        if call[0] == "EVALSHA" and reply[0] == b"accepted":
            sent.append(call)
        return reply

    client.execute_command = sending
    try:
        await edit()
    finally:
        client.execute_command = send
    (call,) = sent
    return call
