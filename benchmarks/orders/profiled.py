"""The orders as a service whose worker writes down where its time went, from its start to its end.

Into the file that PROFILE names, as `pstats` reads it.
"""

from __future__ import annotations

import cProfile
import os
from typing import Any

from benchmarks.orders.asgi import application as service

_profile = cProfile.Profile()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve."""
    if scope["type"] != "lifespan":
        await service(scope, receive, send)
        return

    async def noted(message: Any) -> None:
        if message["type"] == "lifespan.startup.complete":
            _profile.enable()
        else:
            _profile.disable()
            _profile.dump_stats(os.environ["PROFILE"])
        await send(message)

    await service(scope, receive, noted)
