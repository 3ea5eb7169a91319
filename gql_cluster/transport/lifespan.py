"""Begin and end of a worker: what stays is told apart from what goes, and at last all is closed."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from gql_cluster import conf
from gql_cluster.transport import draining

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from gql_cluster.api.schema import Schema

logger = logging.getLogger(__name__)


def lifespan_application(
    schema: Schema, *, closing: Sequence[Callable[[], object]] = ()
) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application of the server's life, for `ProtocolTypeRouter`.

    `closing` is what the project has to close at the end besides, each in a thread.
    A server calls it once for each worker, and tells the end when every request is answered.
    Metrics are served in between, if `METRICS_PORT` says where, and `DRAIN` is kept. Where these
    can't be, as without the extra `metrics`, the server is told not to start.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        del scope
        await receive()
        with ExitStack() as stack:
            try:
                _begin(stack)
            except Exception as exc:
                # Raised, it would be taken for a word that there is no such application.
                logger.exception("The worker can't begin.")
                await send({"type": "lifespan.startup.failed", "message": str(exc)})
                return
            # The schema and all modules are there to stay, a million objects or so: without this
            # each full collection goes through them, and stops every request for as long.
            gc.collect()
            gc.freeze()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await schema.engine.aclose()
            for close in closing:
                await asyncio.to_thread(close)
            await send({"type": "lifespan.shutdown.complete"})

    return application


def _begin(stack: ExitStack) -> None:
    settings = conf.load()
    stack.callback(draining.process.hold_back(settings.DRAIN))
    if settings.METRICS_PORT is not None:
        # An extra, which is not there where nobody asks for metrics.
        from gql_cluster.transport import exporter  # noqa: PLC0415

        stack.callback(exporter.serve(settings.METRICS_HOST, settings.METRICS_PORT))
