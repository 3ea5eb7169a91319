"""Whether a worker is alive, and whether it can serve."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.transport import draining

if TYPE_CHECKING:
    from gql_cluster.service.engine import Engine

_PATIENCE = 2.0  # seconds
_OK = "ok"
_UNAVAILABLE = "unavailable"

Words = Mapping[str, str]
Asking = Callable[[], Awaitable[Words]]


async def healthz(request: HttpRequest) -> JsonResponse:
    """Answer: the process is alive, whatever it depends on."""
    del request
    return JsonResponse(await _alive())


def readyz(engine: Engine) -> Callable[[HttpRequest], Any]:
    """Return a view that says whether this worker can serve; 503 if not.

    It can where the store and the database answer, the database has every migration of this
    release, and the worker is not about to end. It says so soon, also where they hang: by
    `STORE_TIMEOUT`, or after two seconds.
    """
    ready = _readiness(engine)

    async def view(request: HttpRequest) -> JsonResponse:
        del request
        words = await ready()
        return JsonResponse(words, status=_status(words))

    return view


def probed(
    application: Callable[..., Awaitable[None]], engine: Engine
) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application of HTTP, with `/healthz` and `/readyz` in front of it.

    They answer whatever `Host` is asked for: who probes a worker asks it by its address, which is
    none of `ALLOWED_HOSTS`, and over plain HTTP. They say nothing that is anybody's secret.
    """
    probes: dict[str, Asking] = {"/healthz": _alive, "/readyz": _readiness(engine)}

    def served(scope: Any, receive: Any, send: Any) -> Awaitable[None]:
        probe = probes.get(scope["path"])
        if probe is None or scope["method"] not in {"GET", "HEAD"}:
            return application(scope, receive, send)
        return _answer(probe, send, has_body=scope["method"] == "GET")

    return served


async def _answer(probe: Asking, send: Any, *, has_body: bool) -> None:
    words = await probe()
    body = json.dumps(words).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": _status(words), "headers": headers})
    await send({"type": "http.response.body", "body": body if has_body else b""})


async def _alive() -> Words:
    return {"status": _OK}


def _status(words: Words) -> int:
    return 200 if all(word == _OK for word in words.values()) else 503


def _readiness(engine: Engine) -> Asking:
    database = _Database()

    async def ready() -> Words:
        store, data = await asyncio.gather(_store_says(engine), database.says())
        words = {"store": store, "database": data}
        return words | {"worker": "ending"} if draining.process.is_draining else words

    return ready


async def _store_says(engine: Engine) -> str:
    try:
        await engine.parts.store.ping()
    except StoreUnavailableError:
        return _UNAVAILABLE
    return _OK


class _Database:
    """Asks the database in a thread of its own, once at a time: what hangs can't be called off."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "readyz")
        self._asked: Future[str] | None = None
        self._is_migrated = False

    async def says(self) -> str:
        if self._asked is None or self._asked.done():
            self._asked = self._thread.submit(self._ask)
        asked = asyncio.wrap_future(self._asked)
        await asyncio.wait({asked}, timeout=_PATIENCE)
        return asked.result() if asked.done() else _UNAVAILABLE

    def _ask(self) -> str:
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            # Once is enough: none is taken back below a running release.
            self._is_migrated = self._is_migrated or _has_all_migrations()
        except Error:
            return _UNAVAILABLE
        finally:
            connection.close()
        return _OK if self._is_migrated else "not migrated"


def _has_all_migrations() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
