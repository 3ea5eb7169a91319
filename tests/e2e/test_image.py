"""The image and what runs it: the same files, command, variables and user, without an engine."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from django.core.management.utils import get_random_secret_key

from config.protocols import HEAD_BYTES
from config.run import MAX_CONNECTIONS
from gql_cluster import conf
from tests.e2e.image import Image, read_image
from tests.e2e.proxy import CADDYFILE, free_port
from tests.e2e.workers import ROOT, STOP_SECONDS, Worker, until
from tests.plugin import POSTGRES
from tests.served import PROTOCOLS

HOST = "drafts.example.org"


class Container:
    """Runs commands of the image in its file system, as its user, who can write nothing of it."""

    def __init__(self, image: Image, folder: Path, environ: dict[str, str]) -> None:
        self.image = image
        self.folder = folder
        self.port = free_port()
        self.log = folder / "log"
        (folder / "tmp").mkdir(mode=0o777)
        (folder / "tmp").chmod(0o1777)
        self.environ = image.variables | {
            "PATH": os.pathsep.join((str(folder / "venv" / "bin"), os.defpath)),
            "TMPDIR": str(folder / "tmp"),
            "UVICORN_HOST": "127.0.0.1",
            "UVICORN_PORT": str(self.port),
            **environ,
        }
        image.lay_out(folder)

    def _as_user(self, command: list[str]) -> list[str]:
        if os.getuid() != 0:
            return command
        # Python itself may lie where but root can read; nobody who may but read can write.
        keep = "-all,+dac_read_search"
        user = [f"--reuid={self.image.user}", f"--regid={self.image.user}", "--clear-groups"]
        caps = [f"--inh-caps={keep}", f"--ambient-caps={keep}", f"--bounding-set={keep}"]
        return [shutil.which("setpriv") or "setpriv", *user, *caps, *command]

    def run(self, command: list[str]) -> str:
        """Run a command to its end and return what it printed."""
        result = subprocess.run(  # noqa: S603
            self._as_user(command),
            cwd=self.folder / "app",
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert result.returncode == 0, result.stdout
        return result.stdout

    def start(self) -> Worker:
        """Start what the image starts, and return when it listens."""
        with self.log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                self._as_user(self.image.command),
                cwd=self.folder / "app",
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return Worker(url=f"http://127.0.0.1:{self.port}", process=process, log=self.log)


@pytest.fixture(scope="module")
def image() -> Image:
    """What the Dockerfile makes."""
    return read_image(ROOT / "Dockerfile")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """What compose.yaml says."""
    said: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
    return said


@pytest.fixture
def container(
    image: Image, database_url: str, worker_redis_url: str, tmp_path: Path
) -> Iterator[Container]:
    """The image's file system, with what a deployment has to name and nothing else."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    container = Container(
        image,
        tmp_path,
        {
            "SECRET_KEY": get_random_secret_key(),
            "ALLOWED_HOSTS": HOST,
            "DATABASE_URL": database_url,
            "REDIS_URL": worker_redis_url,
            "FORWARDED_ALLOW_IPS": "127.0.0.1",
        },
    )
    yield container
    if container.log.exists():
        sys.stdout.write(container.log.read_text(errors="replace"))


@pytest.mark.skipif(not POSTGRES, reason="production is on PostgreSQL")
def test_the_image_serves_and_ends_when_it_is_told(container: Container) -> None:
    """As its own user, from files that it can't write, in the time that it is given."""
    container.run(["python", "manage.py", "migrate", "--check"])
    if os.getuid() == 0:
        said = container.run(["sh", "-c", "id -u; touch asgi.py 2>&1 || true"])
        assert said.startswith(f"{container.image.user}\n")
        assert "Permission denied" in said
    worker = container.start()
    try:
        until(lambda: "Application startup complete" in worker.log.read_text())
        headers = {"Host": HOST, "X-Forwarded-Proto": "https"}
        with httpx.Client(base_url=worker.url, headers=headers, trust_env=False) as client:
            assert client.get("/readyz").json() == {"store": "ok", "database": "ok"}
            answer = client.post("/graphql", json={"query": "{ __typename }"})
            assert answer.json() == {"data": {"__typename": "Query"}}
        with socket.create_connection(("127.0.0.1", container.port), timeout=20) as endless:
            endless.sendall(b"GET / HTTP/1.1\r\nX-A: " + b"a" * 2 * HEAD_BYTES)
            assert endless.recv(100).startswith(b"HTTP/1.1 431 ")
        container.run(container.image.health_command)
        worker.process.send_signal(signal.Signals[container.image.stop_signal])
        # uvicorn sends itself the signal at last. Process 1 ignores that, and ends with 0.
        assert worker.process.wait(STOP_SECONDS) in (0, -signal.SIGTERM)
    finally:
        worker.stop()
    assert list((container.folder / "tmp").iterdir()) == []
    assert list((container.folder / "app").rglob("__pycache__")) == []


def test_the_builder_is_given_what_the_image_copies_and_nothing_else(image: Image) -> None:
    """By .dockerignore: no secret, no data and no test gets into a layer."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    admitted = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    assert admitted == {*image.sources, "requirements-service.lock"}
    assert all((ROOT / name).exists() for name in admitted)


def test_no_secret_and_no_data_is_open_to_the_world(compose: dict[str, Any]) -> None:
    """The proxy alone has ports, nobody has a secret of ours, and each that is needed is named."""
    services = compose["services"]
    assert [name for name, service in services.items() if "ports" in service] == ["proxy"]
    assert compose["networks"]["back"]["internal"] is True
    for name in ("postgres", "redis"):
        assert services[name]["networks"] == ["back"]
        assert services[name]["volumes"]
    text = (ROOT / "compose.yaml").read_text()
    example = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE))
    required = set(re.findall(r"\$\{(\w+):\?", text))
    assert set(re.findall(r"\$\{(\w+)", text)) == set(named)
    assert {name for name, value in named.items() if not value} == required


def test_the_parts_of_a_deployment_fit_each_other(compose: dict[str, Any], image: Image) -> None:
    """What one file says is what the others count on."""
    services = compose["services"]
    caddyfile = CADDYFILE.read_text()
    workers = {name: service for name, service in services.items() if "worker" in name}
    assert len(workers) == 2
    port = image.variables["UVICORN_PORT"]
    upstreams = " ".join(f"{name}:{port}" for name in workers)
    assert services["proxy"]["environment"]["UPSTREAMS"] == upstreams
    assert f"{{$UPSTREAMS:{upstreams}}}" in caddyfile
    assert set(re.findall(r"\{\$(\w+)", caddyfile)) == set(services["proxy"]["environment"])
    (subnet,) = compose["networks"]["front"]["ipam"]["config"]
    # A proxy that keeps a connection for longer than its worker sends requests into the void.
    kept = re.search(r"^\s*keepalive (\d+)s", caddyfile, re.MULTILINE)
    assert kept is not None
    assert int(kept[1]) < int(image.variables["UVICORN_TIMEOUT_KEEP_ALIVE"])
    asked = re.search(r"^\s*health_interval (\d+)s", caddyfile, re.MULTILINE)
    assert asked is not None
    grace = int(image.variables["UVICORN_TIMEOUT_GRACEFUL_SHUTDOWN"])
    for worker in workers.values():
        drain = json.loads(worker["environment"]["GQL_CLUSTER"])["DRAIN"]
        assert drain > int(asked[1])
        assert int(worker["stop_grace_period"].removesuffix("s")) > drain + grace
        assert worker["healthcheck"]["test"][1:] == [*image.health_command, "readyz"]
        assert worker["depends_on"]["migrate"] == {"condition": "service_completed_successfully"}
        assert worker["read_only"] is True
        trusted = worker["environment"]["FORWARDED_ALLOW_IPS"].split(",")
        assert ip_network(subnet["subnet"]) in map(ip_network, trusted)
    assert services["migrate"]["image"] == workers["worker-1"]["image"]
    # What `make run` has.
    assert image.variables.items() >= PROTOCOLS.items()
    assert int(image.variables["UVICORN_LIMIT_CONCURRENCY"]) == MAX_CONNECTIONS
    assert int(image.variables["UVICORN_WS_MAX_SIZE"]) == conf.Settings().MAX_MESSAGE_BYTES
    redis = " ".join(services["redis"]["command"])
    assert "--appendonly yes" in redis
    assert "--maxmemory-policy noeviction" in redis
