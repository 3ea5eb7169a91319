"""The settings, as the environment makes them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import LazySettings

from config.production import problems
from config.settings import database
from gql_cluster.domain.error import UnauthenticatedError
from gql_cluster.service import session
from tests.e2e.workers import ROOT
from tests.production import SECRET_KEY, environ

FIT = environ("postgres://db.internal/service", "redis://redis.internal:6379/0")


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run Python in this environment alone, to the end."""
    return subprocess.run(  # noqa: S603
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "command",
    [("manage.py", "migrate"), ("-m", "config.run"), ("-m", "uvicorn", "asgi:application")],
)
def test_a_service_that_is_not_fit_for_production_does_not_start(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    """All that is missing is told at once, whatever is to be run, and nothing is made."""
    result = run(*command, DEBUG="0", PORT="0", RUN_DIR=str(tmp_path / "run"))
    assert result.returncode != 0
    told = result.stdout + result.stderr
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL", "REDIS_URL"):
        assert f"- Set {name} " in told or f"- Set {name}," in told
    assert list(tmp_path.glob("run/*")) == []


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"SECRET_KEY": ""}, "Set SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": "x" * 60}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": f"django-insecure-{SECRET_KEY}"}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY_FALLBACKS": f"{SECRET_KEY},short"}, "SECRET_KEY_FALLBACKS"),
        ({"ALLOWED_HOSTS": " , "}, "Set ALLOWED_HOSTS"),
        ({"ALLOWED_HOSTS": "drafts.example, *"}, "ALLOWED_HOSTS has “*”"),
        ({"DATABASE_URL": ""}, "Set DATABASE_URL"),
        ({"DATABASE_URL": "sqlite:///db.sqlite3", "ALLOW_SQLITE": "0"}, "DATABASE_URL is SQLite"),
        ({"REDIS_URL": ""}, "Set REDIS_URL"),
    ],
)
def test_each_thing_that_is_wrong_is_told(wrong: dict[str, str], says: str) -> None:
    """One by one, with what to do about it."""
    assert list(problems(FIT)) == []
    (problem,) = problems({**FIT, **wrong})
    assert problem.startswith(says)


@pytest.mark.parametrize(
    "more", [{}, {"ADMIN": "1", "SECURE_PROXY_SSL_HEADER": "X-Forwarded-Proto", "OTEL": "1"}]
)
def test_djangos_own_check_for_deployment_finds_nothing(more: dict[str, str]) -> None:
    """In a typical environment, with nothing silenced; no server has to be there for it."""
    result = run("manage.py", "check", "--deploy", "--fail-level", "WARNING", **FIT, **more)
    assert result.returncode == 0, result.stderr
    assert "no issues (0 silenced)" in result.stdout


def test_a_former_secret_key_is_good_until_it_is_taken_out(settings: LazySettings) -> None:
    """Sessions go on while the key is changed."""
    token = session.start().token
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = SECRET_KEY
    assert session.read_token(token).session
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(UnauthenticatedError):
        session.read_token(token)


def test_a_format_of_the_log_that_is_none_is_told() -> None:
    """Rather than guessed."""
    result = run("manage.py", "check", **FIT, LOG_FORMAT="xml")
    assert result.returncode != 0
    assert "LOG_FORMAT has to be “json” or “line”" in result.stderr


def test_a_service_with_a_wrong_url_of_its_redis_does_not_start() -> None:
    """And says what is wrong with it, without its password."""
    result = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={"DEBUG": "1", "REDIS_URL": "redis+cluster://:s3cret@host/7"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ImproperlyConfigured: REDIS_URL: a Redis Cluster has the database 0" in result.stderr
    assert "s3cret" not in result.stderr


def test_postgresql_is_reached_through_a_bounded_pool() -> None:
    """A burst of requests waits for connections and does not exceed what the server accepts."""
    settings = database("postgres://user:secret@db.internal:5433/service", pool_size=7)
    assert settings["HOST"] == "db.internal"
    assert settings["CONN_MAX_AGE"] == 0
    assert settings["OPTIONS"]["pool"]["max_size"] == 7


def test_sqlite_locks_before_it_reads() -> None:
    """What a transaction read is still true when it writes."""
    assert database("sqlite:////data/db.sqlite3", 7)["OPTIONS"]["transaction_mode"] == "IMMEDIATE"


def test_a_postgresql_that_is_gone_is_given_up_within_seconds() -> None:
    """Unless the address says otherwise."""
    options = database("postgres://db.internal/service?tcp_user_timeout=9000", 0)["OPTIONS"]
    assert options["connect_timeout"] == 2
    assert options["keepalives_idle"] == 5
    assert options["tcp_user_timeout"] == 9000
