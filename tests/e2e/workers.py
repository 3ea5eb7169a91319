"""Worker processes for tests: uvicorn, each on a port of its own, so that a test can choose."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx

T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 10.0
LISTENING = re.compile(r"Uvicorn running on (http://[\d.]+:\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A running worker."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def graphql(self) -> str:
        """Where it answers GraphQL over HTTP."""
        return f"{self.url}/graphql"

    @property
    def websocket(self) -> str:
        """Where it answers GraphQL over WebSocket."""
        return f"ws{self.url.removeprefix('http')}/graphql"

    def kill(self) -> None:
        """End it at once (SIGKILL), and wait until it is gone."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> None:
        """End it as an operator does (SIGTERM); it is killed if that takes too long."""
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()


# The service's own settings, without the models of the tests.
SERVICE = {"DJANGO_SETTINGS_MODULE": "config.settings"}
# Tests send as fast as they can, all from one address.
UNHURRIED = {"MUTATION_RATE": 0, "ADDRESS_RATE": 0}


def manage(*command: str, environ: dict[str, str]) -> None:
    """Run a management command in a process of its own; fails with what it printed."""
    result = subprocess.run(  # noqa: S603
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=os.environ | SERVICE | environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    if result.returncode:
        msg = f"manage.py {' '.join(command)} failed:\n{result.stdout}"
        raise RuntimeError(msg)


def start_worker(log: Path, environ: dict[str, str], port: int = 0) -> subprocess.Popen[bytes]:
    """Start a worker that logs to `log`; it does not listen yet."""
    settings = UNHURRIED | json.loads(environ.get("GQL_CLUSTER", "{}"))
    environ = environ | {"GQL_CLUSTER": json.dumps(settings)}
    with log.open("wb") as output:
        return subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "uvicorn", "asgi:application", f"--port={port}"],
            cwd=ROOT,
            env=os.environ | SERVICE | environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_for_worker(process: subprocess.Popen[bytes], log: Path) -> Worker:
    """Wait until it answers /healthz; fails with its log if it does not."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if listening := LISTENING.search(log.read_text(errors="replace")):
            url = listening[1]
            if httpx.get(f"{url}/healthz", timeout=START_SECONDS).is_success:
                return Worker(url=url, process=process, log=log)
        time.sleep(0.05)
    msg = f"The worker did not start:\n{log.read_text(errors='replace')}"
    raise RuntimeError(msg)


def until(happened: Callable[[], T | None]) -> T:
    """Return what has happened, when it has."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if found := happened():
            return found
        time.sleep(0.01)
    message = f"{happened} did not happen"
    raise AssertionError(message)
