"""Begin and end of a worker: what stays is told apart from what goes, and at last all is closed."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gql_cluster.api.schema import Schema


def lifespan_application(schema: Schema) -> Callable[..., Awaitable[None]]:
    """Return the ASGI application of the server's life, for `ProtocolTypeRouter`.

    A server calls it once for each worker, and tells the end when every request is answered.
    """

    async def application(scope: Any, receive: Any, send: Any) -> None:
        del scope
        await receive()
        # The schema and all modules are there to stay, a million objects or so: without this each
        # full collection goes through them, and stops every request for as long.
        gc.collect()
        gc.freeze()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await schema.engine.aclose()
        await send({"type": "lifespan.shutdown.complete"})

    return application
