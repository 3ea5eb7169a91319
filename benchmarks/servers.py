"""What is measured, as real processes: Redis, PostgreSQL and workers, each on its core.

For Linux: which core a process has, and what it has spent, is not asked alike elsewhere.
"""

from __future__ import annotations

import os
import re
import resource
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import django
from django.core.management import call_command
from redis import Redis

from config.embedded import postgres_server, redis_server

ROOT = Path(__file__).resolve().parents[1]
ENGINE = "benchmarks.orders.asgi:application"
STOCK = "benchmarks.stock.asgi:application"
START_SECONDS = 60.0
STOP_SECONDS = 10.0
SOCKETS = 4096
LISTENING = re.compile(r"Uvicorn running on http://([\d.]+:\d+)")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Which cores do what: the worker has one to itself where there are two."""

    worker: frozenset[int]
    rest: frozenset[int]

    @classmethod
    def of_machine(cls) -> Cores:
        """Split what this process may use."""
        first, *others = sorted(os.sched_getaffinity(0))
        return cls(worker=frozenset({first}), rest=frozenset(others or {first}))

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.worker | self.rest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A running worker."""

    address: str
    process: subprocess.Popen[bytes]

    @property
    def http(self) -> str:
        """Where it answers GraphQL over HTTP."""
        return f"http://{self.address}/graphql"

    @property
    def websocket(self) -> str:
        """Where it answers GraphQL over WebSocket."""
        return f"ws://{self.address}/graphql"

    @property
    def resident(self) -> int:
        """The bytes of memory that it holds."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * _PAGE

    @property
    def cpu(self) -> float:
        """The seconds that it has computed."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / _TICK

    def meter(self) -> dict[str, float]:
        """Read what it has spent: seconds of CPU."""
        return {"cpu": self.cpu}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """The servers of one run, and how thorough it is."""

    quick: bool
    cores: Cores
    directory: Path
    redis_url: str

    @property
    def turns(self) -> dict[str, Any]:
        """How often and how long two sides take turns, for `in_turns`."""
        return {"rounds": 3, "seconds": 0.5} if self.quick else {"rounds": 9, "seconds": 1.5}

    def count(self, full: int, quick: int) -> int:
        """Return a number that depends on how thorough the run is."""
        return quick if self.quick else full

    @contextmanager
    def worker(
        self, application: str = ENGINE, *, cores: frozenset[int] = frozenset()
    ) -> Iterator[Worker]:
        """Start a worker, on the workers' core unless told otherwise, and stop it in the end."""
        log = Path(mkdtemp(prefix="worker-", dir=self.directory)) / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "uvicorn", application, "--port=0", "--no-access-log"],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            os.sched_setaffinity(process.pid, cores or self.cores.worker)
            yield Worker(address=_wait_for_worker(process, log), process=process)
        except Exception:
            sys.stderr.write(f"---- The log of a worker\n{log.read_text(errors='replace')}")
            raise
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    @contextmanager
    def as_worker(self) -> Iterator[None]:
        """This process has the worker's core, as what is measured within it would have."""
        os.sched_setaffinity(0, self.cores.worker)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self.cores.rest)

    def redis(self) -> Redis:
        """Return a client of the run's Redis, to look into it."""
        return Redis.from_url(self.redis_url, decode_responses=False)


@contextmanager
def servers(*, quick: bool) -> Iterator[Bench]:
    """Start a Redis and a PostgreSQL with the tables in it; this process can use both.

    All of it lies in a temporary directory and ends with the context.
    """
    cores = Cores.of_machine()
    os.sched_setaffinity(0, cores.rest)  # and what it starts
    _allow_sockets()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="gql_cluster-bench-")))
        redis_url = stack.enter_context(redis_server(directory / "redis", port=0, appendonly=False))
        os.environ |= {
            "DEBUG": "0",
            "SECRET_KEY": secrets.token_urlsafe(48),
            "SECURE_SSL_REDIRECT": "0",
            "ALLOWED_HOSTS": "127.0.0.1",
            "DATABASE_URL": stack.enter_context(postgres_server(directory / "postgres")),
            "REDIS_URL": redis_url,
            "LOG_LEVEL": "INFO",  # which tells where a worker listens
            "RUN_DIR": str(directory / "run"),
            "DJANGO_SETTINGS_MODULE": "benchmarks.settings",
        }
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        yield Bench(quick=quick, cores=cores, directory=directory, redis_url=redis_url)
        from django.db import connections  # noqa: PLC0415 - the settings are read here

        connections.close_all()


def _allow_sockets() -> None:
    """Let this process and its workers have as many open sockets as subscribers need."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < SOCKETS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(SOCKETS, hard), hard))


def _wait_for_worker(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if listening := LISTENING.search(log.read_text(errors="replace")):
            return listening[1]
        time.sleep(0.05)
    msg = f"The worker did not start:\n{log.read_text(errors='replace')}"
    raise RuntimeError(msg)
