"""The engine within this process, as a worker would call it, for what has no protocol in it."""

from __future__ import annotations

import base64
import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from asgiref.sync import async_to_sync, sync_to_async
from django.db import connection

from benchmarks import documents
from benchmarks.orders.schema import schema
from benchmarks.rows import line_values, root_values
from benchmarks.servers import Bench
from gql_cluster.service.caller import Caller
from gql_cluster.service.commit import commit
from gql_cluster.service.open import open_saved

T = TypeVar("T")

CALLER = Caller(session="benchmarks")
_LINES_A_REQUEST = 900  # MAX_CHANGES counts them


async def ask(document: str, **variables: Any) -> Any:
    """Run an operation that must have no errors, and return its data."""
    result: Any = await schema.execute(
        document, variable_values=variables, context_value={"caller": CALLER}
    )
    if result.errors:
        raise RuntimeError(result.errors)
    if (result.data.get("payload") or {}).get("errors"):
        raise RuntimeError(result.data["payload"]["errors"])
    return result.data


async def open_draft(pk: int) -> str:
    """Open another draft of an order and return the id that the engine knows it by."""
    cluster = schema.engine.clusters["Order"]
    view = await open_saved(schema.engine, CALLER, cluster, str(pk), resume=False)
    return view.draft.id


async def stage_new(name: str, lines: int) -> str:
    """Stage a new order or invoice, and return the id that the engine knows it by."""
    values = root_values()
    data = {**values, "placed": str(values["placed"])}
    payload = (await ask(documents.OPEN_NEW[name], data=data))["payload"]
    draft = payload["draft"]["id"]
    rows = [{**row, "price": str(row["price"])} for row in line_values(lines)]
    for first in range(0, lines, _LINES_A_REQUEST):
        added = rows[first : first + _LINES_A_REQUEST]
        await ask(documents.ADD[name], draft=draft, lines=added)
    return base64.b64decode(draft).decode().partition(":")[2]


async def edit_line(draft: str, key: str, note: str) -> None:
    """Stage one change of one line of an order."""
    given = base64.b64encode(f"OrderDraft:{draft}".encode()).decode()
    await ask(documents.EDIT, draft=given, key=key, note=note)


async def commit_draft(name: str, draft: str, *, keep_open: bool = False) -> None:
    """Commit a draft."""
    await commit(
        schema.engine,
        CALLER,
        schema.engine.clusters[name],
        draft,
        expected_version=None,
        change_id=None,
        keep_open=keep_open,
    )


def run(bench: Bench, work: Callable[[], Awaitable[T]]) -> T:
    """Run some work on the worker's core; what `sync_to_async` runs has this thread."""

    async def working() -> T:
        try:
            return await work()
        finally:
            await schema.engine.aclose()

    with bench.as_worker():
        return async_to_sync(working)()


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """Return the seconds that some work takes, none of them for older garbage."""
    gc.collect()
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def timed_sync(work: Callable[[], object]) -> float:
    """Return the seconds that some work takes in the thread of the database."""

    def working() -> float:
        gc.collect()
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return await sync_to_async(working)()


@asynccontextmanager
async def counted_queries() -> AsyncIterator[list[str]]:
    """Collect the SQL that runs in the thread of the database."""
    found: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: Any, context: Any) -> Any:
        found.append(sql)
        return execute(sql, params, many, context)

    wrappers = await sync_to_async(lambda: connection.execute_wrappers)()
    wrappers.append(note)
    try:
        yield found
    finally:
        wrappers.remove(note)
