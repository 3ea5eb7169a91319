"""How often each saved root was saved: a count that goes up with every transaction that did.

Counts are kept of those roots only that a draft was opened of.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from importlib.resources import files

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.blocking import AWAY, SyncClient
from gql_cluster.store.client import Client, guarded
from gql_cluster.store.keys import Keys
from gql_cluster.store.scripts import Scripts

_SPARE = timedelta(days=1)


class Stamps:
    """The counts of saved roots.

    Each is forgotten a day after the drafts are that may ask for it. What is forgotten, or lost
    with Redis, begins anew with a number that it never had. Every method raises
    `StoreUnavailableError`.
    """

    def __init__(self, client: Client, *, ttl: timedelta, keys: Keys | None = None) -> None:
        """Take the client, which stays its owner's to close, and the expiry of a draft."""
        self._client = client
        self._run = Scripts(client)
        self._least_ms, self._ttl_ms = (
            span // timedelta(milliseconds=1) for span in (ttl, ttl + _SPARE)
        )
        self._keys = keys or Keys()

    @guarded
    async def get(self, root: str) -> int:
        """Return the count of a root; from now on it is kept."""
        _, count = await self._run("stamp", [self._keys.stamp(root)], self._ttl_ms, self._least_ms)
        return int(count)


def count_saves(client: SyncClient, keys: Keys, roots: Sequence[str]) -> list[str]:
    """Count one save more of each root whose count is kept; returns these.

    One round trip to each node that has any, for code that has no event loop. Raises
    `StoreUnavailableError`.
    """
    try:
        pipe = client.pipeline(transaction=False)
        for root in roots:
            # By this name: redis-py's pipelines for a cluster have no `eval()`.
            pipe.execute_command("EVAL", _script(), 1, keys.stamp(root))
        counts = pipe.execute()
    except AWAY as exc:
        raise StoreUnavailableError.of("The draft store does not answer.") from exc
    return [root for root, count in zip(roots, counts, strict=True) if count]


@cache
def _script() -> str:
    return (files("gql_cluster.store") / "lua" / "count.lua").read_text()
