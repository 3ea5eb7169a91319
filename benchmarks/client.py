"""Clients that cost little: their process must not be what is measured."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from benchmarks import documents
from benchmarks.servers import Worker

_REFUSALS = (b'"message"', b'"code"')
_counter = itertools.count()


class RefusedError(RuntimeError):
    """A request did not do what it should; a measurement of it would mean nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One session at one worker, on connections that are kept."""

    http: aiohttp.ClientSession
    worker: Worker
    token: str = ""

    async def post(self, document: str, **variables: Any) -> bytes:
        """Send an operation and return the body of the reply, which must tell no error."""
        body = json.dumps({"query": document, "variables": variables}).encode()
        return await self.send(body)

    async def send(self, body: bytes) -> bytes:
        """Send a request that is written out."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        async with self.http.post(self.worker.http, data=body, headers=headers) as response:
            reply = await response.read()
        if response.status != 200 or any(word in reply for word in _REFUSALS):
            raise RefusedError(reply[:1000])
        return reply

    async def data(self, document: str, **variables: Any) -> Any:
        """Send an operation and return its data."""
        return json.loads(await self.post(document, **variables))["data"]

    async def ping(self) -> None:
        """Ask for next to nothing."""
        await self.post(documents.PING)

    async def started(self) -> Client:
        """Return a client of a session that has just been started."""
        token = (await self.data(documents.START))["startSession"]["token"]
        return Client(http=self.http, worker=self.worker, token=token)

    async def open(self, pk: int) -> str:
        """Open another draft of an order and return its id."""
        payload = (await self.data(documents.OPEN, pk=pk))["payload"]
        return str(payload["draft"]["id"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Editor:
    """A client with a draft of its own, of which it edits one line over and over."""

    client: Client
    draft: str
    key: str

    async def edit(self) -> None:
        """Give a field of the line another value."""
        note = str(next(_counter))
        await self.client.post(documents.EDIT, draft=self.draft, key=self.key, note=note)


@asynccontextmanager
async def session_at(worker: Worker) -> AsyncIterator[Client]:
    """Connect to a worker as a new session."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as http:
        yield await Client(http=http, worker=worker).started()
