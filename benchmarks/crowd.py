"""Subscribers of one draft: how fast, how late and how completely they hear of its edits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks import documents
from benchmarks.client import Client, Editor, RefusedError, Socket
from benchmarks.measure import percentile
from benchmarks.servers import Worker

Edit = Callable[[int], Awaitable[object]]
"""Makes the version that it is given."""

WINDOW = 4
"""How many edits may be under way to subscribers; the next one waits until all have the first."""
LOST_SECONDS = 15.0
"""When an event that somebody has not got counts as lost."""
_AT_ONCE = 50
_EDITED = ("DraftEdited", "Edited")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What came of some edits; latencies in seconds from the edit's request, shortest first."""

    due: int
    seconds: float
    latencies: Sequence[float]
    computed: float
    """The seconds that the worker has computed for it."""
    clients: float
    """The seconds that this process has, which is all clients."""

    @property
    def rate(self) -> float:
        """Deliveries a second."""
        return len(self.latencies) / self.seconds

    @property
    def share(self) -> float:
        """How many of a hundred were delivered."""
        return 100 * len(self.latencies) / self.due

    @property
    def p99(self) -> float:
        """The latency that 99 of a hundred kept to, in milliseconds."""
        return percentile(self.latencies, 99) * 1e3

    @property
    def each(self) -> float:
        """The milliseconds that the worker has computed for a delivery."""
        return self.computed / len(self.latencies) * 1e3

    @property
    def busy(self) -> float:
        """How much of the time the clients have computed, of a hundred."""
        return 100 * self.clients / self.seconds


class Crowd:
    """Some sockets that watch one draft, and who edits it; one hears of a version once."""

    def __init__(self, worker: Worker, document: str, draft: str, edit: Edit) -> None:
        """Take what is watched, and the way to edit it; the draft is at version 0."""
        self._worker = worker
        self._document = document
        self._draft = draft
        self._edit = edit
        self._sockets: list[Socket] = []
        self._listening: list[asyncio.Task[None]] = []
        self._version = 0
        self._begun: dict[int, float] = {}
        self._left: dict[int, int] = {}
        self._latencies: list[float] = []
        self._last = 0.0
        self._room = asyncio.Semaphore(WINDOW)

    @classmethod
    def of_draft(cls, client: Client, draft: str, key: str) -> Crowd:
        """Return a crowd at the engine, without anybody in it."""
        editor = Editor(client=client, draft=draft, key=key)

        async def edit(version: int) -> None:
            made = await editor.edit()
            if made != version:
                raise RefusedError(made, version)

        return cls(client.worker, documents.WATCH, draft, edit)

    @classmethod
    def of_stock(cls, client: Client, draft: str) -> Crowd:
        """Return a crowd at the stock service, without anybody in it."""

        async def edit(version: int) -> None:
            given = {"draft": draft, "version": version, "key": "OrderLine:1"}
            await client.post(documents.STOCK_EDIT, note=str(version), **given)

        return cls(client.worker, documents.STOCK_WATCH, draft, edit)

    async def gather(self, clients: Sequence[Client]) -> None:
        """Let more clients watch the draft, and return when all have heard of an edit."""
        for first in range(0, len(clients), _AT_ONCE):
            some = clients[first : first + _AT_ONCE]
            sockets = await asyncio.gather(*(client.socket() for client in some))
            for socket in sockets:
                await socket.start(self._document, draft=self._draft)
            self._listening += [asyncio.create_task(self._listen(each)) for each in sockets]
            self._sockets += sockets
        async with asyncio.timeout(120):
            while not await self._has_reached_all():
                pass

    async def drive(self, seconds: float) -> Deliveries:
        """Edit for so long, and once at least, and wait until all have heard of it."""
        self._latencies.clear()
        first, begin = self._version, time.perf_counter()
        computed, clients = self._worker.cpu, time.process_time()
        try:
            while self._version == first or time.perf_counter() < begin + seconds:
                await self._make_room()
                await self._send()
            for _ in range(WINDOW):
                await self._make_room()
        except TimeoutError:
            pass
        self._room = asyncio.Semaphore(WINDOW)
        due = (self._version - first) * len(self._sockets)
        return Deliveries(
            due=due,
            seconds=self._last - begin,
            latencies=sorted(self._latencies),
            computed=self._worker.cpu - computed,
            clients=time.process_time() - clients,
        )

    async def leave(self) -> None:
        """Let all of them go."""
        for task in self._listening:
            task.cancel()
        await asyncio.gather(*self._listening, return_exceptions=True)
        await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def _make_room(self) -> None:
        self._raise_what_failed()
        async with asyncio.timeout(LOST_SECONDS):
            await self._room.acquire()

    async def _send(self) -> None:
        self._version += 1
        self._left[self._version] = len(self._sockets)
        self._begun[self._version] = time.perf_counter()
        await self._edit(self._version)

    async def _has_reached_all(self) -> bool:
        """Tell whether all hear of one more edit within a second."""
        self._raise_what_failed()
        await self._send()
        room = self._room = asyncio.Semaphore(0)
        if self._left[self._version]:
            try:
                async with asyncio.timeout(1):
                    await room.acquire()
            except TimeoutError:
                return False
        self._room = asyncio.Semaphore(WINDOW)
        return True

    def _raise_what_failed(self) -> None:
        for task in self._listening:
            if task.done():
                task.result()

    async def _listen(self, socket: Socket) -> None:
        while True:
            message = await socket.receive()
            event = message.payload and message.payload.data and message.payload.data.event
            if event and event.typename in _EDITED:
                self._take(event.version)

    def _take(self, version: int) -> None:
        self._last = now = time.perf_counter()
        self._latencies.append(now - self._begun[version])
        self._left[version] -= 1
        if self._left[version] == 0:
            self._room.release()
