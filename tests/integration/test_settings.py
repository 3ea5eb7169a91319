"""The settings, as the environment makes them."""

import subprocess
import sys

from config.settings import database


def test_a_service_without_a_secret_does_not_start() -> None:
    """Signing with a known key would let anybody forge a session."""
    result = subprocess.run(
        [sys.executable, "-c", "import config.settings"],
        env={},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "ImproperlyConfigured: Set SECRET_KEY" in result.stderr


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
