"""One worker for the tests of the transports: uvicorn as `make run` has it, with low limits.

A `conftest.py` imports what it needs of this. Whatever a test does, nothing may end in a traceback.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.workers import Worker, manage, start_worker, wait_for_worker
from tests.topologies import apart, connect

DEADLINE = 20.0
PATIENCE = 2.0
"""What the worker has of patience, where it has ten times as much by default."""
LIMITS = {
    "BODY_TIMEOUT": PATIENCE,
    "INIT_TIMEOUT": PATIENCE,
    "SEND_TIMEOUT": PATIENCE,
    "KEEP_ALIVE": 0.2,
    "MAX_SOCKETS_PER_SESSION": 5,
    "MAX_SOCKETS_PER_ADDRESS": 100,
    "STORE_TIMEOUT": 10.0,
    "STORE_CONNECT_TIMEOUT": 10.0,
}
TRUSTED = "https://app.example,https://*.partner.example"
PROTOCOLS = {
    "UVICORN_HTTP": "config.protocols:HttpProtocol",
    "UVICORN_WS": "config.protocols:WebSocketProtocol",
    "UVICORN_WS_MAX_SIZE": "2621440",
}


_RUNNING = pytest.StashKey[Worker]()


@pytest.fixture(scope="session")
def server(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, redis_url: str
) -> Iterator[Worker]:
    """A worker that all tests share, of whatever directory; each has a session of its own."""
    if _RUNNING in pytestconfig.stash:
        yield pytestconfig.stash[_RUNNING]
        return
    directory = tmp_path_factory.mktemp("served")
    environ = {
        "DATABASE_URL": f"sqlite:///{directory / 'db.sqlite3'}",
        "REDIS_URL": apart(redis_url, 3),
        "CSRF_TRUSTED_ORIGINS": TRUSTED,
        "GQL_CLUSTER": json.dumps(LIMITS),
        **PROTOCOLS,
    }
    with connect(environ["REDIS_URL"]) as client:
        client.flushdb()
    manage("migrate", environ=environ)
    log = directory / "worker.log"
    process = start_worker(log, environ)
    worker = Worker(url="", process=process, log=log)
    try:
        pytestconfig.stash[_RUNNING] = wait_for_worker(process, log)
        yield pytestconfig.stash[_RUNNING]
    finally:
        worker.stop()


@pytest.fixture(autouse=True)
def _nothing_unforeseen(server: Worker) -> Iterator[None]:
    """Show what the worker logged if the test fails; a traceback is a failure of its own."""
    before = server.log.stat().st_size
    yield
    logged = server.log.read_bytes()[before:].decode(errors="replace")
    sys.stdout.write(logged)
    assert "Traceback" not in logged


@pytest.fixture
def http(server: Worker) -> Iterator[httpx.Client]:
    """An HTTP client of its address, which accepts anything and has no session yet."""
    with httpx.Client(base_url=server.url, timeout=DEADLINE, trust_env=False) as client:
        yield client


@pytest.fixture
def token(http: httpx.Client) -> str:
    """The token of a new session."""
    body = {"query": "mutation { startSession { token } }"}
    answer = http.post("/graphql", json=body).json()
    return str(answer["data"]["startSession"]["token"])
