"""Whether a worker is alive, and whether it can serve."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from django.db import Error, connection
from django.http import HttpRequest, JsonResponse

from gql_cluster.domain.error import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gql_cluster.service.engine import Engine

_PATIENCE = 2.0  # seconds


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer: the process is alive, whatever it depends on."""
    del request
    return JsonResponse({"status": "ok"})


def readyz(engine: Engine) -> Callable[[HttpRequest], Any]:
    """Return a view that says whether the store and the database answer; 503 if not both.

    It says so soon, also where they hang: by `STORE_TIMEOUT`, or after two seconds.
    """
    database = _Database()

    async def view(request: HttpRequest) -> JsonResponse:
        del request
        store, data = await asyncio.gather(_store_answers(engine), database.answers())
        words = {
            name: "ok" if answers else "unavailable"
            for name, answers in (("store", store), ("database", data))
        }
        return JsonResponse(words, status=200 if store and data else 503)

    return view


async def _store_answers(engine: Engine) -> bool:
    try:
        await engine.parts.store.ping()
    except StoreUnavailableError:
        return False
    return True


class _Database:
    """Asks the database in a thread of its own, once at a time: what hangs can't be called off."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "readyz")
        self._asked: Future[bool] | None = None

    async def answers(self) -> bool:
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(_database_answers)
        asked = asyncio.wrap_future(self._asked)
        await asyncio.wait({asked}, timeout=_PATIENCE)
        return asked.done() and asked.result()


def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    finally:
        connection.close()
    return True
