"""GraphQL over SSE, in its mode of distinct connections: one operation, one stream.

The protocol is https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. Strawberry's own
stream asks for the next result before the client has read the last one, and may leave the source
open when the client goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import ExitStack, aclosing, contextmanager
from typing import Any, Final

from django.http import StreamingHttpResponse

from gql_cluster.transport import connections
from gql_cluster.transport.media import MediaType

_ALIVE: Final = b":\n\n"
# With data, though it is empty: browsers drop an event that has none.
_COMPLETE: Final = b"event: complete\ndata:\n\n"


class EventStream(StreamingHttpResponse):
    """A response that goes on as long as its operation, or until the client leaves.

    Whatever `held` holds is let go when it ends, also where it never began.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], held: ExitStack) -> None:
        """Take what is sent."""
        super().__init__(chunks, content_type=MediaType.EVENTS.content_type)
        self._chunks = chunks
        self._held = held
        self["Cache-Control"] = "no-cache, no-transform"
        self["X-Accel-Buffering"] = "no"  # nginx would wait until it has more

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Return what is sent itself, so that it is closed when nobody reads any more.

        Middleware may have put something else in its place.
        """
        is_own = vars(self)["_iterator"] is self._chunks
        return self._chunks if is_own else super().__aiter__()

    def close(self) -> None:
        """Let go what was held."""
        self._held.close()
        super().close()


async def events(
    results: AsyncGenerator[Any, None],
    encode: Callable[[Any], str],
    *,
    keep_alive: float,
    patience: float,
) -> AsyncGenerator[bytes, None]:
    """Yield each result as an event, and then that it is complete.

    The next result is asked for when the last one was taken. While there is none, a comment goes
    out every `keep_alive` seconds, by which proxies see that the stream lives. A client that takes
    nothing for `patience` seconds is cut off. An idle stream holds neither thread nor connection.
    """
    async with aclosing(results):
        await connections.let_go()
        with _taken_within(patience):
            yield _ALIVE
        while True:
            coming = asyncio.ensure_future(anext(results, None))
            try:
                while not (await asyncio.wait({coming}, timeout=keep_alive))[0]:
                    with _taken_within(patience):
                        yield _ALIVE
            finally:
                if not coming.done():
                    coming.cancel()
                    await asyncio.wait({coming})
            result = coming.result()
            await connections.let_go()
            if result is None:
                break
            with _taken_within(patience):
                yield f"event: next\ndata: {encode(result)}\n\n".encode()
        with _taken_within(patience):
            yield _COMPLETE


@contextmanager
def _taken_within(seconds: float) -> Iterator[None]:
    """Cancel the task that sends where it is kept for too long by a client that reads nothing."""
    task = asyncio.current_task()
    timer = asyncio.get_running_loop().call_later(seconds, task.cancel) if task else None
    try:
        yield
    finally:
        if timer is not None:
            timer.cancel()
