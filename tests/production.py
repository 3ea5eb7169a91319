"""The service as strangers meet it: without DEBUG, in an environment that is fit for it."""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.e2e.workers import Worker, manage, start_worker, wait_for_worker
from tests.topologies import apart

SECRET_KEY = secrets.token_urlsafe(48)
HOST = "drafts.example"
# As a proxy that ends TLS on the same machine says it, whom uvicorn trusts by itself.
HEADERS = {"Host": HOST, "X-Forwarded-Proto": "https"}


def environ(database_url: str, redis_url: str, **more: str) -> dict[str, str]:
    """Return a typical environment of one machine."""
    return {
        "DEBUG": "0",
        "SECRET_KEY": SECRET_KEY,
        "ALLOWED_HOSTS": HOST,
        "DATABASE_URL": database_url,
        "ALLOW_SQLITE": "1",
        "REDIS_URL": apart(redis_url, 2),
        **more,
    }


@contextmanager
def production(
    folder: Path, redis_url: str, samples: str | None = None, **more: str
) -> Iterator[Worker]:
    """Run one worker with the sample data, as long as the block runs.

    `samples` is where they are already, to be copied.
    """
    path = folder / "db.sqlite3"
    variables = environ(f"sqlite:///{path}", redis_url, **more)
    if samples is None:
        manage("migrate", environ=variables)
        manage("load_samples", environ=variables)
    else:
        shutil.copyfile(urlsplit(samples).path, path)
    log = folder / "worker.log"
    process = start_worker(log, variables)
    worker = Worker(url="", process=process, log=log)
    try:
        yield wait_for_worker(process, log)
    finally:
        worker.stop()


def client(worker: Worker) -> httpx.Client:
    """Return a client that comes through the proxy."""
    return httpx.Client(base_url=worker.url, headers=HEADERS, trust_env=False, timeout=20)


def records(worker: Worker) -> list[dict[str, Any]]:
    """Return what the worker has logged; every line is a record."""
    return [json.loads(line) for line in worker.log.read_text().splitlines()]


def database(worker: Worker) -> Path:
    """Return the file of the worker's database."""
    return worker.log.with_name("db.sqlite3")
