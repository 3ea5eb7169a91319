"""What the URL of a draft store says."""

from __future__ import annotations

import pytest

from gql_cluster.store.urls import Topology, parse

WHAT = "has to|have to|no host|no such option|can't be read|alone"
SECRET = "s3cret"  # noqa: S105


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("valkey://host:1/2", "redis://host:1/2"),
        ("valkeys://host", "rediss://host"),
        ("valkey+cluster://host", "redis+cluster://host:6379"),
        ("valkeys+sentinel://host/drafts", "rediss+sentinel://host:26379/drafts/"),
        ("REDIS://host", "redis://host"),
    ],
)
def test_the_same_place_has_several_names(url: str, same: str) -> None:
    """Valkey is spoken to as Redis is, and ports have defaults."""
    assert parse(url) == parse(same)


def test_one_redis() -> None:
    """As redis-py reads it."""
    place = parse("rediss://user:p%40ss@host:1/2?socket_keepalive=no")
    assert (place.topology, place.is_secure) == (Topology.ONE, True)
    assert place.options == {
        "host": "host",
        "port": 1,
        "db": 2,
        "username": "user",
        "password": "p@ss",
        "socket_keepalive": False,
    }
    assert parse("unix:///run/redis.sock?db=1").options == {"path": "/run/redis.sock", "db": 1}


def test_a_cluster() -> None:
    """Some of its nodes, and one password for all."""
    place = parse("redis+cluster://:pass@one:1,two,[::1]:3/0")
    assert (place.topology, place.is_secure) == (Topology.CLUSTER, False)
    assert place.hosts == (("one", 1), ("two", 6379), ("::1", 3))
    assert place.options == {"password": "pass", "db": 0}


def test_sentinels() -> None:
    """They have a password of their own, and share what is said of certificates."""
    place = parse(
        "rediss+sentinel://user:pass@one:1,two/drafts/3"
        "?sentinel_username=guard&sentinel_password=word&ssl_ca_certs=/ca.pem"
    )
    assert (place.topology, place.is_secure) == (Topology.SENTINEL, True)
    assert (place.hosts, place.service) == ((("one", 1), ("two", 26379)), "drafts")
    assert place.options == {
        "username": "user",
        "password": "pass",
        "db": 3,
        "ssl_ca_certs": "/ca.pem",
    }
    assert place.sentinel_options == {
        "username": "guard",
        "password": "word",
        "ssl_ca_certs": "/ca.pem",
    }


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:6379",
        "http://host",
        "redis+unknown://host",
        "unix+cluster://host",
        "unix://",
        "redis://",
        f"redis://:{SECRET}/x@host",
        f"redis://:{SECRET}@host:port/0",
        f"redis://:{SECRET}@host:99999",
        f"redis://:{SECRET}@host/drafts",
        f"redis://:{SECRET}@host?no_such_option=1",
        f"redis://:{SECRET}@host?db=x",
        f"redis+cluster://:{SECRET}@",
        f"redis+cluster://:{SECRET}@one:1,two:x",
        f"redis+cluster://:{SECRET}@one,,two",
        f"redis+cluster://:{SECRET}@one/1",
        f"redis+cluster://:{SECRET}@one?db=1",
        f"redis+sentinel://:{SECRET}@one",
        f"redis+sentinel://:{SECRET}@one//0",
        f"redis+sentinel://:{SECRET}@one/drafts/x",
        f"redis+sentinel://:{SECRET}@one/drafts?sentinel_no_such=1",
    ],
)
def test_what_is_no_url_is_told_without_its_secrets(url: str) -> None:
    """It is shown to whoever starts the service, and logged."""
    with pytest.raises(ValueError, match=WHAT) as caught:
        parse(url)
    assert SECRET not in str(caught.value)
