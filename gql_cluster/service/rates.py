"""How often mutations may be sent, by a session and from an address, on all workers together.

A worker takes tokens from Redis some at a time, and spends them without asking. It asks for more
before it has none, beside what it does; who is new to it begins with as many on credit, which the
next answer settles. So most mutations wait for nothing.

All workers together never let more through than the buckets hold, but for the credit: a batch for
each worker that had not heard of the session for `_KEPT` seconds. What a worker has and does not
spend is lost then: a session may be refused so many mutations too early, and no more.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from math import ceil, inf
from typing import TYPE_CHECKING

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.buckets import Buckets, Rate

if TYPE_CHECKING:
    from gql_cluster.conf import Settings
    from gql_cluster.service.caller import Caller

_KEPT = 60.0
"""Seconds that a worker's tokens are good for."""
_ALONE = 1.0
"""Seconds until a worker that had no answer from Redis gives credit once more."""
_PART = 10
"""A worker takes such a part of a bucket at a time."""
_NAMES = 10_000
"""How many buckets a worker knows of at a time."""
_NETWORK = 64
"""Bits of an IPv6 address that one customer has to himself: the rest he may choose."""


@dataclass(slots=True)
class _Purse:
    """A worker's tokens of one bucket; `owed` of them have not been taken out of it yet.

    Fewer than none: so many were spent that were not there.
    """

    tokens: int
    owed: int
    until: float
    empty_until: float = 0.0
    asking: asyncio.Task[None] | None = None


class Rates:
    """What this worker has of the buckets; it belongs to one event loop."""

    def __init__(self, buckets: Buckets, settings: Settings) -> None:
        """Take the rates that are not 0."""
        self._session = _rate(settings.MUTATION_RATE, settings.MUTATION_BURST)
        self._address = _rate(settings.ADDRESS_RATE, settings.ADDRESS_BURST)
        self._buckets = buckets
        self._purses: OrderedDict[str, _Purse] = OrderedDict()

    async def take(self, caller: Caller, count: int) -> float | None:
        """Take a token for each of some mutations; else return the seconds to wait for that.

        Those are infinite for more than a bucket holds. It waits for Redis only where this worker
        has none left. Where Redis is away it lets a batch through each second: those find that out
        themselves.
        """
        if self._session is not None and caller.session:
            wait = await self._take(self._session, f"session:{caller.session}", count)
            if wait is not None:
                return wait
        if self._address is not None and caller.address:
            return await self._take(self._address, f"address:{network(caller.address)}", count)
        return None

    def names(self) -> list[str]:
        """Return the names of the buckets that this worker has tokens of."""
        return [*self._purses]

    def asking(self) -> list[asyncio.Task[None]]:
        """Return what it waits for."""
        return [purse.asking for purse in self._purses.values() if purse.asking is not None]

    async def aclose(self) -> None:
        """Ask for no more."""
        asking = self.asking()
        for task in asking:
            task.cancel()
        if asking:
            await asyncio.wait(asking)

    async def _take(self, rate: Rate, name: str, count: int) -> float | None:
        if count > rate.burst:
            return inf
        purse = self._purse(rate, name)
        while purse.tokens < count:
            if purse.asking is None and _now() < purse.empty_until:
                return ceil((purse.empty_until - _now()) * 1000) / 1000
            # What comes may be spent by others before it is looked at here: then it asks again.
            purse.asking = purse.asking or self._ask(rate, name, purse, count)
            await asyncio.shield(purse.asking)
        purse.tokens -= count
        is_low = purse.owed or purse.tokens < _batch(rate) // 2
        if is_low and purse.asking is None and _now() >= purse.empty_until:
            purse.asking = self._ask(rate, name, purse, 0)
        return None

    def _purse(self, rate: Rate, name: str) -> _Purse:
        purse, now = self._purses.get(name), _now()
        if purse is None or (now >= purse.until and purse.asking is None):
            batch = _batch(rate)
            purse = self._purses[name] = _Purse(tokens=batch, owed=batch, until=now + _KEPT)
            if len(self._purses) > _NAMES:
                self._purses.popitem(last=False)
        self._purses.move_to_end(name)
        return purse

    def _ask(self, rate: Rate, name: str, purse: _Purse, count: int) -> asyncio.Task[None]:
        return asyncio.create_task(self._fill(rate, name, purse, count))

    async def _fill(self, rate: Rate, name: str, purse: _Purse, count: int) -> None:
        """Take what is owed out of the bucket, and as much as makes a batch, or the count."""
        batch = _batch(rate)
        owed, purse.owed = purse.owed, 0
        wanted = owed + max(0, max(count, batch) - purse.tokens)
        try:
            taken = await self._buckets.take(name, rate, wanted)
            purse.tokens += taken.tokens - owed
            purse.until = _now() + _KEPT
            if taken.tokens < wanted:
                purse.empty_until = _now() + taken.wait
        except StoreUnavailableError:
            purse.tokens = max(purse.tokens, count, batch)
            purse.empty_until = _now() + _ALONE
        finally:
            purse.asking = None


def _rate(per_second: float, burst: int) -> Rate | None:
    return Rate(per_second=per_second, burst=burst) if per_second > 0 else None


def _batch(rate: Rate) -> int:
    return max(1, rate.burst // _PART)


def _now() -> float:
    return asyncio.get_running_loop().time()


@lru_cache(maxsize=_NAMES)
def network(address: str) -> str:
    """Return what stands for an address: itself, or of IPv6 the network that it is in."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(IPv6Address(int(parsed) >> (128 - _NETWORK) << (128 - _NETWORK)))
