"""`python -m config.run` serves everything from one command, on a bare machine.

Each step is printed. Data is kept in RUN_DIR (`.run`), for the next run to find. What the
environment names (REDIS_URL, DATABASE_URL, SECRET_KEY) is used instead of what would be
brought along; HOST (127.0.0.1), PORT (8000; 0 is any free one) and WORKERS (1) say how to
serve. Ctrl-C or SIGTERM stops all that was started: requests in flight have SHUTDOWN_GRACE
(10) seconds to finish.
"""

import os
import secrets
import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import django
import environ
import uvicorn
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connections
from uvicorn.supervisors import Multiprocess

from config.embedded import EmbeddedServerError, end_on_sigterm, redis_server
from config.logs import logging_settings
from gql_cluster import conf

BASE_DIR = Path(__file__).resolve().parent.parent
MAX_CONNECTIONS = 10_000
"""How many connections a worker has before it answers 503."""


class CannotListenError(RuntimeError):
    """The address is taken, or not this machine's."""


def main() -> int:
    """Serve until told to stop; the exit code is 1 if it could not start."""
    end_on_sigterm()
    try:
        with suppress(KeyboardInterrupt), ExitStack() as stack:
            _serve(stack)
    except (CannotListenError, EmbeddedServerError, ImproperlyConfigured) as exc:
        _say(str(exc))
        return 1
    _say("Stopped")
    return 0


def _serve(stack: ExitStack) -> None:
    # Before anything slow, so that a taken port is told at once, and is ours from here on.
    listener = stack.enter_context(_bind(*_address()))
    run_dir = Path(os.environ.setdefault("RUN_DIR", str(BASE_DIR / ".run")))
    run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # Without DEBUG nothing is brought along: the settings tell what is missing.
    is_debug = environ.Env().bool("DEBUG")
    if is_debug and not os.environ.get("SECRET_KEY"):
        os.environ["SECRET_KEY"] = _local_secret_key(run_dir / "secret_key")
    if is_debug and not os.environ.get("REDIS_URL"):
        _say(f"Starting Redis, data in {run_dir / 'redis'}")
        os.environ["REDIS_URL"] = stack.enter_context(redis_server(run_dir / "redis"))
    django.setup()
    _say("Migrating the database")
    call_command("migrate", verbosity=0)
    _say("Loading the sample data")
    call_command("load_samples")
    connections.close_all()
    _run_uvicorn(listener)


def _run_uvicorn(listener: socket.socket) -> None:
    config = uvicorn.Config(
        "asgi:application",
        workers=int(os.environ.get("WORKERS") or 1),
        log_config=logging_settings(),
        timeout_graceful_shutdown=int(os.environ.get("SHUTDOWN_GRACE") or 10),
        http="config.protocols:HttpProtocol",
        ws="config.protocols:WebSocketProtocol",
        ws_max_size=conf.load().MAX_MESSAGE_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
    )
    listener.listen(config.backlog)  # from here on a client waits and is not refused
    host, port = listener.getsockname()[:2]
    base = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    _say(
        f"""Serving, stop with Ctrl-C
    GraphiQL   {base}/graphql
    health     {base}/healthz
    try        curl {base}/graphql -H 'content-type: application/json' \\
                 -d '{{"query": "{{ __schema {{ queryType {{ fields {{ name }} }} }} }}"}}'""",
    )
    # One worker is a process, too: whatever hangs in it, it ends with its grace period.
    Multiprocess(config, sockets=[listener]).run()


def _address() -> tuple[str, int]:
    return os.environ.get("HOST") or "127.0.0.1", int(os.environ.get("PORT") or 8000)


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    # A port whose last connections linger after a restart is free all the same.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as exc:
        listener.close()
        msg = f"Cannot listen on {host}:{port}: {exc.strerror}. Choose another: make run PORT=8001"
        raise CannotListenError(msg) from exc
    listener.set_inheritable(True)  # for workers
    return listener


def _local_secret_key(path: Path) -> str:
    """The key of this checkout: made by its first run, readable by its user alone."""
    path.touch(mode=0o600)
    if not path.read_text():
        path.write_text(secrets.token_urlsafe(48))
    return path.read_text()


def _say(text: str) -> None:
    print(f"==> {text}", flush=True)  # noqa: T201 - this is a command


if __name__ == "__main__":
    sys.exit(main())
