"""A line to Redis on which a worker dies at a word: faults at one exact moment."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

CHUNK = 65_536


@dataclass(slots=True, kw_only=True)
class Trap:
    """Kills a worker when the word is sent to Redis: before Redis gets it, or after its reply."""

    word: bytes
    kill: Callable[[], None]
    passes: bool
    has_gone_off: bool = False

    def go_off(self) -> None:
        """Kill."""
        self.has_gone_off = True
        self.kill()


class Tripwire:
    """Forwards between workers and Redis, until a trap goes off."""

    def __init__(self, redis_url: str) -> None:
        """Take the address of the real Redis."""
        self._target = urlsplit(redis_url)
        self._trap: Trap | None = None
        self._lines: set[asyncio.Task[None]] = set()
        self._writers: set[StreamWriter] = set()
        self.url = ""

    def set_trap(self, word: bytes, kill: Callable[[], None], *, passes: bool) -> Trap:
        """Call `kill` once when the word is sent; with `passes` when Redis has replied to it."""
        self._trap = Trap(word=word, kill=kill, passes=passes)
        return self._trap

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Tripwire]:
        """Forward as long as the block runs; `url` is what the workers take for Redis."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = self._target._replace(netloc=f"127.0.0.1:{port}").geturl()
        async with server:
            try:
                yield self
            finally:
                server.close()
                # Not by cancelling the tasks, which asyncio would report as an error.
                for writer in self._writers:
                    writer.transport.abort()
                await asyncio.gather(*self._lines)

    async def _connected(self, requests: StreamReader, answers: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        replies, to_redis = await asyncio.open_connection(self._target.hostname, self._target.port)
        writers = {answers, to_redis}
        self._writers |= writers
        line = _Line(replies, answers)
        back = asyncio.create_task(line.back())
        try:
            with suppress(ConnectionError):
                await self._forward(requests, to_redis, line)
        finally:
            for writer in writers:
                writer.transport.abort()
            await back
            self._writers -= writers
            self._lines.discard(task)

    async def _forward(self, requests: StreamReader, to_redis: StreamWriter, line: _Line) -> None:
        seen = b""
        while data := await requests.read(CHUNK):
            seen = seen[-CHUNK:] + data
            trap = self._trap
            if trap is not None and trap.word in seen:
                self._trap = None
                if not trap.passes:
                    trap.go_off()
                    return
                line.trap = trap
            to_redis.write(data)
            await to_redis.drain()


class _Line:
    """The way back from Redis, on one connection."""

    def __init__(self, replies: StreamReader, answers: StreamWriter) -> None:
        self._replies = replies
        self._answers = answers
        self.trap: Trap | None = None

    async def back(self) -> None:
        with suppress(ConnectionError):
            while data := await self._replies.read(CHUNK):
                if self.trap is not None:
                    self.trap.go_off()
                    return
                self._answers.write(data)
                await self._answers.drain()
