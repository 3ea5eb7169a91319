"""Several real Redis that work together: a Redis Cluster, and a master with its Sentinels."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from redis import Redis
from redis.cluster import ClusterNode, RedisCluster
from redis.crc import key_slot
from redis.exceptions import ConnectionError as LostError
from redis.exceptions import ResponseError

from config.embedded import redis_server

PORTS = range(10_000, 20_000)
"""The bus of a cluster has a port 10,000 above; neither is one that the system gives by itself."""
SLOTS = 16_384
SERVICE = "drafts"
PASSWORD = "of-drafts"  # noqa: S105
SENTINEL_PASSWORD = "of-sentinels"  # noqa: S105
DEADLINE = 60.0


Client: TypeAlias = Redis | RedisCluster


def connect(url: str) -> Client:
    """Return a plain client for what a URL names; the caller closes it."""
    if not url.startswith("redis+cluster://"):
        return Redis.from_url(url)
    node: Any = ClusterNode
    hosts = (each.split(":") for each in url.removeprefix("redis+cluster://").split(","))
    return RedisCluster(startup_nodes=[node(host, int(port)) for host, port in hosts])


def channels(client: Any) -> list[bytes]:
    """Return what is listened to, on whatever node."""
    everywhere = {"target_nodes": "all"} if isinstance(client, RedisCluster) else {}
    found: list[bytes] = client.pubsub_channels(**everywhere)
    return found


def apart(url: str, number: int) -> str:
    """Return where another part of the same Redis is; a cluster has one alone."""
    return url if "+cluster" in url else urlsplit(url)._replace(path=f"/{number}").geturl()


class Member:
    """One redis-server among several, which can be killed, paused and started again."""

    def __init__(self, directory: Path, *options: str) -> None:
        """Take its directory, and what it is told besides."""
        self._directory = directory
        self._options = options
        self._running = ExitStack()
        self._password = ""
        self.port = free_port()
        self.pid = 0

    @property
    def url(self) -> str:
        """Where it is, or will be again."""
        return f"redis://:{self._password}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Return when it answers, to anybody."""
        self._password = ""
        server = redis_server(
            self._directory, port=self.port, appendonly=False, options=self._options
        )
        self._running.enter_context(server)
        self.pid = int(self.ask("INFO", "server")["process_id"])

    def ask(self, *command: str | int) -> Any:
        """Send it one command."""
        with Redis.from_url(self.url) as client:
            return client.execute_command(*command)

    def lock(self, password: str) -> None:
        """Let it ask for a password from now on."""
        self.ask("ACL SETUSER", "default", "resetpass", f">{password}")
        self._password = password

    def kill(self) -> None:
        """End it at once, and return when it is gone."""
        os.kill(self.pid, signal.SIGKILL)
        self._running.close()

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Within the block it is there, takes connections, and answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it for good."""
        self._running.close()


class Cluster:
    """A Redis Cluster on the loopback: its masters share the slots evenly."""

    def __init__(self, masters: list[Member], replicas: list[Member]) -> None:
        """Take the members; the replicas are those of the first masters, in order."""
        self.masters = masters
        self.replicas = replicas

    @property
    def members(self) -> list[Member]:
        """All of them."""
        return [*self.masters, *self.replicas]

    @property
    def url(self) -> str:
        """What a service is told."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.masters)
        return f"redis+cluster://{hosts}"

    def owner(self, key: str) -> Member:
        """Return the master that had the key's slot at first."""
        return self.masters[key_slot(key.encode()) * len(self.masters) // SLOTS]

    def heal(self) -> None:
        """Have the masters be masters again, and the replicas their replicas, all in step."""
        for master, replica in zip(self.masters, self.replicas, strict=False):
            self.promote(master)
            until(partial(is_replica_in_step, replica))
        until(lambda: all(self._knows_all(member) for member in self.members))

    def promote(self, member: Member) -> None:
        """Have a replica take its master's place, unless it has."""
        while member.ask("INFO", "replication")["role"] != "master":
            until(lambda: is_replica_in_step(member))
            with suppress(ResponseError):  # it has been promoted just now
                member.ask("CLUSTER FAILOVER")
            # One that was begun is given up behind five seconds.
            until(lambda: member.ask("INFO", "replication")["role"] == "master", within=6)

    def form(self) -> None:
        """Make a cluster of members that have started; return when each of them says so."""
        shares = len(self.masters)
        for number, master in enumerate(self.masters):
            first, end = (-(-SLOTS * edge // shares) for edge in (number, number + 1))
            master.ask("CLUSTER SET-CONFIG-EPOCH", number + 1)
            master.ask("CLUSTER ADDSLOTS", *range(first, end))
        for member in self.members[1:]:
            self.masters[0].ask("CLUSTER MEET", "127.0.0.1", member.port)
        until(lambda: all(self._knows_all(member) for member in self.members))
        for master, replica in zip(self.masters, self.replicas, strict=False):
            replica.ask("CLUSTER REPLICATE", name_of(master))
            until(partial(is_replica_in_step, replica))

    def _knows_all(self, member: Member) -> bool:
        info = member.ask("CLUSTER INFO")
        known = int(info["cluster_known_nodes"]), int(info["cluster_slots_ok"])
        return bool(info["cluster_state"] == "ok") and known == (len(self.members), SLOTS)


class Watched:
    """A master and its replica, and the Sentinels that put that in its place when it is gone."""

    def __init__(self, members: list[Member], sentinels: list[Member]) -> None:
        """Take the members, the master first."""
        self.members = members
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """What a service is told."""
        hosts = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        query = f"sentinel_password={SENTINEL_PASSWORD}"
        return f"redis+sentinel://:{PASSWORD}@{hosts}/{SERVICE}/1?{query}"

    def lock(self) -> None:
        """Let all of them ask for passwords, each other too."""
        for sentinel in self.sentinels:
            sentinel.ask("SENTINEL SET", SERVICE, "auth-pass", PASSWORD)
            sentinel.ask("SENTINEL CONFIG", "SET", "sentinel-pass", SENTINEL_PASSWORD)
        for sentinel in self.sentinels:
            sentinel.lock(SENTINEL_PASSWORD)
        for member in self.members:
            self.lock_member(member)

    def lock_member(self, member: Member) -> None:
        """Let one that was started ask for the password."""
        member.ask("CONFIG SET", "masterauth", PASSWORD)
        member.lock(PASSWORD)

    def bring_back(self, member: Member) -> None:
        """Start one that was killed, as the replica of the other."""
        member.start()
        self.lock_member(member)
        member.ask("REPLICAOF", "127.0.0.1", self.other_than(member).port)
        until(lambda: is_replica_in_step(member))

    def other_than(self, member: Member) -> Member:
        """Return the other of the two."""
        return next(each for each in self.members if each is not member)

    @property
    def master(self) -> Member:
        """Return the member that is the master, as the first Sentinel has it."""
        _, port = self.sentinels[0].ask("SENTINEL GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(each for each in self.members if each.port == int(port))


@contextmanager
def redis_cluster(
    directory: Path, *, masters: int = 3, replicas: int = 0, patience: int = 15
) -> Iterator[Cluster]:
    """A cluster of so many masters, and replicas of the first of them, as long as the block runs.

    What a dead master had is missing, the rest goes on; its replica is promoted after some
    seconds of `patience`.
    """
    names = count()
    with ExitStack() as stack:

        def member() -> Member:
            made = Member(
                directory / f"node-{next(names)}",
                *("--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"),
                *("--cluster-node-timeout", f"{patience}000"),
                *("--repl-diskless-sync-delay", "0"),
            )
            stack.callback(made.stop)
            made.start()
            return made

        cluster = Cluster([member() for _ in range(masters)], [member() for _ in range(replicas)])
        cluster.form()
        yield cluster


@contextmanager
def redis_sentinel(directory: Path, *, sentinels: int = 3) -> Iterator[Watched]:
    """A master, its replica and so many Sentinels, as long as the block runs.

    A master that is gone for a second is replaced.
    """
    with ExitStack() as stack:

        def started(name: str, *options: str) -> Member:
            made = Member(directory / name, *options)
            stack.callback(made.stop)
            made.start()
            return made

        first = started("first")
        second = started("second", "--repl-diskless-sync-delay", "0")
        second.ask("REPLICAOF", "127.0.0.1", first.port)
        until(lambda: is_replica_in_step(second))
        watching = []
        for number in range(sentinels):
            name = f"sentinel-{number}"
            path = directory / name / "sentinel.conf"
            path.parent.mkdir(parents=True)
            path.write_text(
                f"sentinel monitor {SERVICE} 127.0.0.1 {first.port} {sentinels // 2 + 1}\n"
                f"sentinel down-after-milliseconds {SERVICE} 1000\n"
                f"sentinel failover-timeout {SERVICE} 1500\n"
            )
            watching.append(started(name, str(path), "--sentinel"))
        until(lambda: all(_sees_all(each, sentinels) for each in watching))
        watched = Watched([first, second], watching)
        watched.lock()
        yield watched


def _sees_all(sentinel: Member, sentinels: int) -> bool:
    state = sentinel.ask("SENTINEL MASTER", SERVICE)
    others, replicas = state["num-other-sentinels"], state["num-slaves"]
    return (int(others), int(replicas)) == (sentinels - 1, 1)


def is_replica_in_step(member: Member) -> bool:
    """Tell whether a member follows a master."""
    try:
        info = member.ask("INFO", "replication")
    except LostError:  # it begins to, and drops who was connected
        return False
    return bool(info["role"] == "slave" and info["master_link_status"] == "up")


def has_all(replica: Member, master: Member) -> bool:
    """Tell whether a replica has all that its master has."""
    offsets = [each.ask("INFO", "replication") for each in (replica, master)]
    return bool(offsets[0]["master_repl_offset"] >= offsets[1]["master_repl_offset"])


def name_of(member: Member) -> str:
    """Return what a cluster calls one of its members."""
    return str(member.ask("CLUSTER MYID"), "ascii")


def until(holds: Callable[[], bool], *, within: float | None = None) -> None:
    """Return when it holds, which nothing tells, or when the time is over that is given."""
    began = time.monotonic()
    while not holds():
        passed = time.monotonic() - began
        if within is not None and passed > within:
            return
        assert passed < DEADLINE
        time.sleep(0.01)


def free_port() -> int:
    """Return a port of the loopback that is free, as is that of a cluster's bus."""
    for port in random.sample(PORTS, 100):
        if not any(_is_taken(each) for each in (port, port + 10_000)):
            return port
    message = "no free port"
    raise RuntimeError(message)


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
