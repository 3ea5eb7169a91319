"""Whether a worker is alive, and whether it can serve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse

from gql_cluster.domain.error import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from gql_cluster.service.engine import Engine


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer: the process is alive, whatever it depends on."""
    del request
    return JsonResponse({"status": "ok"})


def readyz(engine: Engine) -> Callable[[HttpRequest], Any]:
    """Return a view that says whether the store and the database answer; 503 if not both."""

    async def view(request: HttpRequest) -> JsonResponse:
        del request
        parts = {"store": await _store_answers(engine), "database": await _database_answers()}
        ready = all(parts.values())
        words = {name: "ok" if good else "unavailable" for name, good in parts.items()}
        return JsonResponse(words, status=200 if ready else 503)

    return view


async def _store_answers(engine: Engine) -> bool:
    try:
        await engine.parts.store.ping()
    except StoreUnavailableError:
        return False
    return True


@sync_to_async
def _database_answers() -> bool:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return False
    return True
