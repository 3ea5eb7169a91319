"""`python -m config.healthcheck`, by which a container's supervisor asks."""

import socket
from urllib.parse import urlsplit

import pytest

from config import healthcheck
from tests.e2e.conftest import StartWorkers
from tests.production import SECRET_KEY

pytestmark = pytest.mark.once


def test_a_worker_in_production_is_healthy(
    start_workers: StartWorkers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though Django answers to the names of ALLOWED_HOSTS only, and by HTTPS."""
    (worker,) = start_workers(
        1, DEBUG="0", SECRET_KEY=SECRET_KEY, ALLOWED_HOSTS="service.example", ALLOW_SQLITE="1"
    )
    monkeypatch.setenv("UVICORN_PORT", str(urlsplit(worker.url).port))
    assert healthcheck.main() == 0


def test_nobody_is_not_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port on which nothing listens fails and raises nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
    monkeypatch.setenv("UVICORN_PORT", port)
    assert healthcheck.main() == 1
