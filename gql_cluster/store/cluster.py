"""A Redis Cluster: each call goes to the master that has the slot of its keys."""

from __future__ import annotations

import asyncio
import builtins
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from redis.commands import AsyncCoreCommands
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.event import EventDispatcher
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,  # noqa: A004 - redis names it so
    MovedError,
    RedisError,
    TimeoutError,  # noqa: A004 - redis names it so
    TryAgainError,
)

from gql_cluster.store.circuit import CircuitOpenError
from gql_cluster.store.node import Node, Script, Sent
from gql_cluster.store.urls import Address

T = TypeVar("T")

logger = logging.getLogger(__name__)

_HOPS = 5
"""How often a call is sent on: by one that has given the slot away, to one that takes it."""
_PAUSE = 0.02
"""Seconds between two tries where half of the keys are moved."""
_GONE = (builtins.TimeoutError, ClusterDownError, ConnectionError, TimeoutError)
_UNANSWERED = (*_GONE, CircuitOpenError, RedisError, OSError)


class Cluster(AsyncCoreCommands):
    """A client of a Redis Cluster, with a circuit for each node: one that is gone is not all.

    Every command names its keys first, and all keys of a call have one hash tag. Only masters are
    asked. A call is sent on where a node says so, because then it was not carried out, and never
    repeated otherwise. Where a node does not answer, or has given slots away, the others are asked
    in the background who has what now; so a replica that was promoted is found.

    redis-py's own does not do. It begins anew with all nodes where it loses one, and one that hangs
    then holds up the calls of all; made while the first master is dead it fails whole, because
    that is asked for `COMMAND`; and past its connections it fails instead of waiting for one.
    """

    _is_async_client: Literal[True] = True
    _event_dispatcher = EventDispatcher()

    def __init__(
        self, seeds: Sequence[Address], make: Callable[[Address], Node], *, timeout: float
    ) -> None:
        """Take some nodes to begin with, how to make the client of one, and how long to ask it."""
        self._make = make
        self._timeout = timeout
        self._nodes = {address: make(address) for address in seeds}
        self._seeds = tuple(seeds)
        self._slots: list[Address | None] = []
        self._looking: asyncio.Task[None] | None = None

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Run a command where its first key is."""
        run = partial(_command, args=args, options=options)
        return await self._at(args[1], run, args)

    async def script(self, script: Script, keys: Sequence[str], args: Sequence[Sent]) -> Any:
        """Run a script where its keys are."""
        run = partial(_script, script=script, keys=keys, args=args)
        return await self._at(keys[0], run, ("EVAL", script.text, len(keys), *keys, *args))

    async def scan_iter(  # type: ignore[override]  # of every node, not of one
        self, **asked: Any
    ) -> AsyncIterator[bytes]:
        """Yield the keys of every master, one after the other."""
        if not self._slots:
            await self._look()
        for address in dict.fromkeys(filter(None, self._slots)):
            async for key in self._node(address).scan_iter(**asked):
                yield key

    async def ping(self, **kwargs: Any) -> bool:
        """Return if any master answers: what it has can be edited."""
        if not self._slots:
            await self._look()
        failed: BaseException = ConnectionError("The cluster has no slots.")
        for address in dict.fromkeys(filter(None, self._slots)):
            try:
                return bool(await self._node(address).ping(**kwargs))
            except _UNANSWERED as exc:
                failed = exc
        self._look_soon()
        raise failed

    async def aclose(self) -> None:
        """Close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        for node in self._nodes.values():
            await node.aclose()

    async def _at(
        self, key: str | bytes, run: Callable[[Node], Awaitable[T]], command: Sequence[Sent]
    ) -> T:
        """Run a call where a key is; `command` is the same as one command."""
        slot = key_slot(key.encode() if isinstance(key, str) else key)
        address = await self._owner(slot)
        for _ in range(_HOPS):
            try:
                return await run(self._node(address))
            except MovedError as exc:
                address = self._slots[slot] = (exc.host or address[0], exc.port)
                self._look_soon()
            except AskError as exc:
                address = (exc.host or address[0], exc.port)
                run = partial(_asked, command=command)
            except TryAgainError:
                await asyncio.sleep(_PAUSE)
            except _GONE:
                self._look_soon()
                raise
        raise TryAgainError("The keys are being moved.")

    async def _owner(self, slot: int) -> Address:
        if not self._slots:
            await self._look()
        address = self._slots[slot]
        if address is None:
            self._look_soon()
            raise ClusterDownError("No node has the slot.")
        return address

    def _node(self, address: Address) -> Node:
        node = self._nodes.get(address)
        if node is None:
            node = self._nodes[address] = self._make(address)
        return node

    async def _look(self) -> None:
        """Wait until it is known who has which slots."""
        self._look_soon()
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=self._timeout)
        if not self._slots:
            raise ConnectionError("None of the cluster's nodes answers.")

    def _look_soon(self) -> None:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._ask_all())

    async def _ask_all(self) -> None:
        """Ask one node after the other, in any order, until one tells who has which slots.

        One that hangs is passed over soon, the others may know.
        """
        known = random.sample([*self._nodes], len(self._nodes))
        for address in known:
            try:
                async with asyncio.timeout(self._timeout / 4):
                    ranges: Any = await self._nodes[address].execute_command("CLUSTER SLOTS")
            except _UNANSWERED as exc:
                logger.debug("A node of the cluster does not tell its slots.", exc_info=exc)
                continue
            if ranges:
                await self._learn(address, ranges)
                return

    async def _learn(self, told_by: Address, ranges: Sequence[Any]) -> None:
        slots: list[Address | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        known = {*self._seeds}
        for first, last, *members in ranges:
            places = [_address(member, told_by) for member in members]
            slots[first : last + 1] = [places[0]] * (last + 1 - first)
            known.update(places)
        self._slots = slots
        for address in known - self._nodes.keys():
            self._nodes[address] = self._make(address)
        # A node that has left may have calls under way; it is kept, and begins anew if it is back.
        for address in self._nodes.keys() - known:
            await self._nodes[address].connection_pool.disconnect(inuse_connections=False)


def _address(member: Sequence[Any], told_by: Address) -> Address:
    """Return where a member is; where it does not say, it is at the host that was asked."""
    host, port, *_ = member
    name = host.decode() if isinstance(host, bytes) else host
    return (name if name and name != "?" else told_by[0]), int(port)


async def _command(node: Node, *, args: Sequence[Any], options: dict[str, Any]) -> Any:
    return await node.execute_command(*args, **options)


async def _script(node: Node, *, script: Script, keys: Sequence[str], args: Sequence[Sent]) -> Any:
    return await node.script(script, keys, args)


async def _asked(node: Node, *, command: Sequence[Sent]) -> Any:
    return await node.ask(*command)
