"""Every draft that is kept, for operators: Redis is walked through a page at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from redis.exceptions import RedisError

from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.circuit import CircuitOpenError
from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys

_PAGE = 500
_GLOB = re.compile(r"([*?\[\]\\^])")


class Listing:
    """The ids of all drafts under a prefix, by SCAN: nobody waits while it goes on.

    One that is opened meanwhile may be missed, one that is there all the time is not.
    """

    def __init__(self, client: Client, *, keys: Keys) -> None:
        """Take the client, which stays its owner's to close."""
        self._client = client
        before, _, self._after = keys.draft("\0")[0].partition("\0")
        self._before = before
        self._pattern = _GLOB.sub(r"\\\1", before) + "*" + self._after

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield each once, in no order. Raises `StoreUnavailableError`."""
        seen: set[str] = set()
        try:
            async for key in self._client.scan_iter(match=self._pattern, count=_PAGE):
                name = key.decode().removeprefix(self._before).removesuffix(self._after)
                if name not in seen:
                    seen.add(name)
                    yield name
        except (CircuitOpenError, RedisError, OSError) as exc:
            raise StoreUnavailableError.of("The draft store does not answer.") from exc
