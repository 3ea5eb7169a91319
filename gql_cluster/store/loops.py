"""One of something for each running event loop: clients and locks belong to their loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class PerLoop(Generic[T]):
    """Makes its thing on first use in a loop and closes it when the loop ends.

    No library does it. A loop closes the asynchronous generators that were begun in it before
    it ends itself (`shutdown_asyncgens`: `asyncio.run`, asgiref and pytest-asyncio call it), so
    each thing is held by one. A server that a signal ends may not come to that: it calls `close`.
    """

    def __init__(self, make: Callable[[], T], close: Callable[[T], Awaitable[object]]) -> None:
        """Take how to make one, inside a running loop, and how to close it."""
        self._make = make
        self._close = close
        self._held: dict[asyncio.AbstractEventLoop, tuple[T, AsyncGenerator[None, None]]] = {}

    def get(self) -> T:
        """Return the running loop's own."""
        loop = asyncio.get_running_loop()
        held = self._held.get(loop)
        if held is None:
            self._forget_closed()
            thing = self._make()
            keeper = self._keep(loop, thing)
            _begin(keeper)
            held = self._held[loop] = thing, keeper
        return held[0]

    async def close(self) -> None:
        """Close the running loop's own, if it has one."""
        held = self._held.get(asyncio.get_running_loop())
        if held is not None:
            await held[1].aclose()

    async def _keep(self, loop: asyncio.AbstractEventLoop, thing: T) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._held.pop(loop, None)
            await self._close(thing)

    def _forget_closed(self) -> None:
        # A loop that was closed without its due would else be held for ever.
        for loop in [loop for loop in self._held if loop.is_closed()]:
            del self._held[loop]


def _begin(keeper: AsyncGenerator[None, None]) -> None:
    """Run a generator up to its first yield, before which it awaits nothing."""
    try:
        keeper.__anext__().__await__().send(None)
    except StopIteration:
        return
