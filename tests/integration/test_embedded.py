"""The servers that `make run` and the tests bring along: they start, answer, keep and end."""

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry

from config.embedded import EmbeddedServerError, postgres_server, redis_server

HOLD_A_REDIS = """
import signal, sys, time
from pathlib import Path
from config.embedded import end_on_sigterm, redis_server

end_on_sigterm()
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
with redis_server(Path(sys.argv[1])) as url:
    print(url, flush=True)
    time.sleep(60)
"""


def _pid(client: Redis) -> int:
    pid: int = client.info("server")["process_id"]
    return pid


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_redis_keeps_its_data_from_one_run_to_the_next(tmp_path: Path) -> None:
    """What one server acknowledged, the next on the same directory has."""
    with redis_server(tmp_path) as url, Redis.from_url(url) as client:
        client.set("kept", "yes")
    with redis_server(tmp_path) as url, Redis.from_url(url) as client:
        assert client.get("kept") == b"yes"


def test_redis_starts_after_a_crash_with_the_same_data(tmp_path: Path) -> None:
    """A killed server leaves a socket, a process id and a log; none is in the way."""
    with redis_server(tmp_path) as url, Redis.from_url(url) as client:
        client.set("kept", "yes")
        client.config_set("appendfsync", "always")
        client.set("kept too", "yes")
        os.kill(_pid(client), signal.SIGKILL)
    with redis_server(tmp_path) as url, Redis.from_url(url) as client:
        assert client.mget("kept", "kept too") == [b"yes", b"yes"]


def test_a_redis_that_still_loads_is_not_ready(tmp_path: Path) -> None:
    """Whoever enters finds all that is kept, and no server that is busy."""
    fill = "for i = 1, 600000 do redis.call('SET', 'key:' .. i, i) end"
    with redis_server(tmp_path) as url, Redis.from_url(url, socket_timeout=20) as client:
        client.eval(fill, 0)
    with (
        redis_server(tmp_path) as url,
        Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client,
    ):
        assert client.dbsize() == 600000


def test_redis_is_gone_when_its_context_is_left(tmp_path: Path) -> None:
    """Nothing listens and no process is left."""
    with redis_server(tmp_path, port=0) as url, Redis.from_url(url) as client:
        pid = _pid(client)
    assert not _is_alive(pid)
    with Redis.from_url(url) as client, pytest.raises(RedisConnectionError):
        client.ping()


def test_redis_without_append_only_file_forgets(tmp_path: Path) -> None:
    """A test run's server writes nothing to the disk."""
    with redis_server(tmp_path, appendonly=False) as url, Redis.from_url(url) as client:
        client.set("kept", "no")
    with redis_server(tmp_path, appendonly=False) as url, Redis.from_url(url) as client:
        assert client.get("kept") is None


def test_redis_takes_a_port_where_the_directory_is_too_deep_for_a_socket(tmp_path: Path) -> None:
    """A checkout at a long path runs as any other."""
    deep = tmp_path / ("d" * 120)
    with redis_server(deep) as url, Redis.from_url(url) as client:
        assert url.startswith("redis://127.0.0.1:")
        assert client.ping()


def test_a_second_redis_on_the_same_directory_names_the_first(tmp_path: Path) -> None:
    """Two servers on one directory would destroy each other's data."""
    with (
        redis_server(tmp_path) as url,
        Redis.from_url(url) as client,
        pytest.raises(EmbeddedServerError, match=rf"process {_pid(client)}\b"),
        redis_server(tmp_path),
    ):
        pass


def test_a_redis_that_does_not_start_says_why(tmp_path: Path) -> None:
    """The end of its log is in the message."""
    with (
        redis_server(tmp_path / "first", port=0) as url,
        pytest.raises(EmbeddedServerError, match="Address already in use"),
        redis_server(tmp_path / "second", port=int(url.rsplit(":")[-1].split("/")[0])),
    ):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_redis_ends_with_the_process_that_started_it(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C, an operator's stop and a closed terminal leave nothing behind."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD_A_REDIS, str(tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        with Redis.from_url(url) as client:
            pid = _pid(client)
        holder.send_signal(number)
        holder.wait(20)
    assert not _is_alive(pid)


def test_a_redis_whose_owner_was_killed_is_named_by_the_next_run(tmp_path: Path) -> None:
    """SIGKILL leaves the server; the next run says which process it is."""
    with subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", HOLD_A_REDIS, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        url = holder.stdout.readline().strip()
        holder.kill()
    with Redis.from_url(url) as client:
        try:
            with (
                pytest.raises(EmbeddedServerError, match=f"kill {_pid(client)}"),
                redis_server(tmp_path),
            ):
                pass
        finally:
            client.shutdown()
    with (tmp_path / "server.pid").open("a+") as claim:
        fcntl.flock(claim, fcntl.LOCK_EX)  # it lets go as it ends, a little after it has hung up
    with redis_server(tmp_path) as url, Redis.from_url(url) as client:
        assert client.ping()


def test_postgres_answers_orders_by_code_point_and_ends(tmp_path: Path) -> None:
    """UTF-8 in collation C, as the order of text is to be the same on every machine."""
    with postgres_server(tmp_path / "data") as url, psycopg.connect(url) as connection:
        row = connection.execute(
            "SELECT current_setting('server_encoding'), datcollate, 'Z' < 'a', 'Z' < 'é'"
            " FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row == ("UTF8", "C", True, True)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
