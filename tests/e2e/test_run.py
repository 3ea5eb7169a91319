"""`python -m config.run`, which is what `make run` does."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from redis import Redis

from tests.e2e.workers import ROOT

INTROSPECTION = {"query": "{ __schema { queryType { fields { name } } } }"}


def _environ(run_dir: Path, **extra: str) -> dict[str, str]:
    own = {
        "DATABASE_URL",
        "REDIS_URL",
        "SECRET_KEY",
        "DEBUG",
        "ALLOWED_HOSTS",
        "DJANGO_SETTINGS_MODULE",
    }
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    return inherited | {"RUN_DIR": str(run_dir), "PORT": "0"} | extra


@contextmanager
def _run(run_dir: Path, **extra: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "config.run"],
        cwd=ROOT,
        env=_environ(run_dir, **extra),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        try:
            for line in process.stdout:
                printed += line
                if address := re.search(r"GraphiQL +(\S+)/graphql", line):
                    yield process, address[1]
                    break
            else:
                message = f"It did not serve:\n{printed}"
                raise AssertionError(message)
        finally:
            process.terminate()
            process.communicate(timeout=30)


def test_it_serves_and_a_second_run_finds_the_data_of_the_first(tmp_path: Path) -> None:
    """Redis, the database and the secret are kept in the run directory."""
    redis_url = f"unix://{tmp_path}/redis/redis.sock"
    with _run(tmp_path) as (process, url), Redis.from_url(redis_url) as client:
        answer = httpx.post(f"{url}/graphql", json=INTROSPECTION, timeout=30)
        assert answer.json()["data"]["__schema"]["queryType"]["fields"]
        client.set("kept", "yes")
        secret = (tmp_path / "secret_key").read_text()
    assert process.returncode == 0
    with _run(tmp_path) as (_, url), Redis.from_url(redis_url) as client:
        assert httpx.get(f"{url}/healthz", timeout=30).is_success
        assert client.get("kept") == b"yes"
        assert (tmp_path / "secret_key").read_text() == secret
    assert not (tmp_path / "redis" / "redis.sock").exists()


def test_several_workers_end_on_ctrl_c(tmp_path: Path) -> None:
    """WORKERS=2 serves from two processes, and one Ctrl-C ends them all."""
    with _run(tmp_path, WORKERS="2") as (process, url):
        assert httpx.get(f"{url}/healthz", timeout=30).is_success
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert output.rstrip().endswith("==> Stopped")


def test_a_taken_port_is_told_before_anything_starts(tmp_path: Path) -> None:
    """The message names the address and the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        result = subprocess.run(
            [sys.executable, "-m", "config.run"],
            cwd=ROOT,
            env=_environ(tmp_path / "run", PORT=port),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert result.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}" in result.stdout
    assert not (tmp_path / "run").exists()
