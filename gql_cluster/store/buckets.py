"""Token buckets that all workers share: how often something may be done in the long run."""

from __future__ import annotations

from dataclasses import dataclass

from gql_cluster.store.client import Client, guarded
from gql_cluster.store.keys import Keys
from gql_cluster.store.scripts import Scripts

_SECOND = 1_000_000  # microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a second in the long run, and `burst` at once."""

    per_second: float
    burst: int

    @property
    def interval(self) -> int:
        """How many microseconds a token takes to come."""
        return max(1, round(_SECOND / self.per_second))


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The tokens that were taken, and the seconds until there is one more."""

    tokens: int
    wait: float


class Buckets:
    """Token buckets in one Redis, by its clock, each a key that expires when it is full."""

    def __init__(self, client: Client, *, keys: Keys | None = None) -> None:
        """Take the client, which stays its owner's to close."""
        self._client = client
        self._run = Scripts(client)
        self._keys = keys or Keys()

    @guarded
    async def take(self, name: str, rate: Rate, wanted: int) -> Taken:
        """Take tokens, as many of those wanted as there are; in one round trip.

        Raises `StoreUnavailableError`.
        """
        key = self._keys.bucket(name)
        _, tokens, wait = await self._run("take", [key], rate.interval, rate.burst, wanted)
        return Taken(tokens=tokens, wait=wait / _SECOND)
