"""What every test of drafts has: a way to start a session at a worker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import httpx
import pytest

from tests.e2e.client import DEADLINE, Client
from tests.e2e.workers import Worker

StartSession: TypeAlias = Callable[[Worker], Awaitable[Client]]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """An HTTP client that knows no cookies yet and waits for `DEADLINE` at most."""
    limits = httpx.Limits(max_connections=None)
    async with httpx.AsyncClient(timeout=DEADLINE, limits=limits, trust_env=False) as client:
        yield client


@pytest.fixture
def start_session(http: httpx.AsyncClient) -> StartSession:
    """Start a session at a worker; its token is good at every other."""

    async def start(worker: Worker) -> Client:
        return await Client(http=http, worker=worker).started()

    return start
