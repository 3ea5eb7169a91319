"""What the URL of a draft store says: one Redis, a Redis Cluster, or a master found by Sentinels.

Valkey speaks the same protocol: `valkey` may stand for `redis` in every scheme.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import (
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)

Address: TypeAlias = tuple[str, int]

_PORT = 6379
_SENTINEL_PORT = 26379
_FAMILIES = {
    "redis": Connection,
    "rediss": SSLConnection,
    "unix": UnixDomainSocketConnection,
}
_SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
_OF_POOLS = {"max_connections", "timeout"}
_OF_SENTINELS = "sentinel_"


class Topology(Enum):
    """How the servers behind a URL work together; the value is the end of the scheme."""

    ONE = ""
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where drafts are kept.

    `options` are those of redis-py's connections to what keeps them; with `ONE` also where it is,
    else `hosts` are some nodes of the cluster, or the Sentinels.
    """

    topology: Topology
    is_secure: bool
    options: Mapping[str, Any]
    hosts: tuple[Address, ...] = ()
    service: str = ""
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)


def parse(url: str) -> Place:
    """Return what a URL says; raises `ValueError` where it is none, without a word of its secrets.

    `redis://[user:password@]host[:port][/db]`, `unix://path[?db=db]`,
    `redis+cluster://[user:password@]host[:port],…` and
    `redis+sentinel://[user:password@]sentinel[:port],…/service[/db]`; with `rediss` over TLS. The
    query holds redis-py's options of a connection. `sentinel_username` and `sentinel_password` are
    for the Sentinels, user and password for what they watch.
    """
    scheme, _, rest = url.partition("://")
    family, _, kind = scheme.lower().partition("+")
    family = _SCHEMES.get(family, family)
    topology = next((each for each in Topology if each.value == kind), None)
    if topology is None or family not in _FAMILIES or (kind and family == "unix"):
        raise ValueError(
            "the scheme has to be redis, rediss, valkey, valkeys or unix, or one of the first four "
            "with +cluster or +sentinel"
        )
    if topology is not Topology.ONE:
        return _of_several(topology, family, rest)
    options = _options(family, rest)
    if not options.get("path" if family == "unix" else "host"):
        raise ValueError("there is no host, or no path")
    _try(family, options)
    return Place(topology=topology, is_secure=family == "rediss", options=options)


def _of_several(topology: Topology, family: str, rest: str) -> Place:
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    user, at, hosts = place.rpartition("@")
    service, database = "", unquote(path)
    if topology is Topology.SENTINEL:
        service, _, database = database.partition("/")
        if not service:
            raise ValueError("the name of the service has to follow the Sentinels, behind a slash")
    options = _options(family, f"{user}{at}/{database}?{query}")
    if topology is Topology.CLUSTER and options.get("db"):
        raise ValueError("a Redis Cluster has the database 0 alone")
    own = {
        name.removeprefix(_OF_SENTINELS): options.pop(name)
        for name in [*options]
        if name.startswith(_OF_SENTINELS)
    }
    own |= {name: value for name, value in options.items() if name.startswith("ssl_")}
    _try(family, options)
    _try(family, own)
    return Place(
        topology=topology,
        is_secure=family == "rediss",
        options=options,
        hosts=tuple(
            _address(host, _SENTINEL_PORT if service else _PORT) for host in hosts.split(",")
        ),
        service=service,
        sentinel_options=own,
    )


def _options(family: str, rest: str) -> dict[str, Any]:
    try:
        database = unquote(urlsplit(f"{family}://{rest}").path).strip("/")
        options: dict[str, Any] = dict(parse_url(f"{family}://{rest}"))
    except ValueError:
        # What it says itself may hold a part of the password.
        raise ValueError(
            "it can't be read: what is special in a password has to be percent-encoded"
        ) from None
    if family != "unix" and database and not database.isdecimal():
        raise ValueError("the database has to be a number")
    options.pop("connection_class", None)
    return options


def _address(host: str, default: int) -> Address:
    try:
        parts = urlsplit(f"//{host}")
        name, port = parts.hostname, parts.port
    except ValueError:
        name = port = None
    if not name or (port is None and ":" in host.rpartition("]")[2]):
        raise ValueError("hosts have to be separated by commas, each with or without a port")
    return name, port or default


def _try(family: str, options: Mapping[str, Any]) -> None:
    """Raise `ValueError` for options that a connection does not know; it connects to nothing."""
    known = {name: value for name, value in options.items() if name not in _OF_POOLS}
    try:
        _FAMILIES[family](**known)
    except (TypeError, ValueError) as exc:
        raise ValueError("redis-py's connections take no such option") from exc
