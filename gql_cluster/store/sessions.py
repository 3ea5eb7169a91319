"""Which drafts a session has, and which of them is the one of a saved root."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from gql_cluster.store.client import Client, guarded
from gql_cluster.store.keys import Keys
from gql_cluster.store.scripts import Scripts

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)  # a score is a double: exact up to the year 2255


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Listed:
    """A draft in a session's list; the place to read on behind it."""

    at: datetime
    draft_id: str


class SessionIndex:
    """The drafts of each session. It may name drafts that have expired: ask the store.

    A session's names expire `ttl` behind its last `add` or `claim`. Every method raises
    `StoreUnavailableError`.
    """

    def __init__(self, client: Client, *, ttl: timedelta, keys: Keys | None = None) -> None:
        """Take the client, which stays its owner's to close, and the expiry."""
        self._client = client
        self._run = Scripts(client)
        self._ttl_ms = ttl // timedelta(milliseconds=1)
        self._keys = keys or Keys()

    @guarded
    async def claim(self, session: str, root: str, draft_id: str) -> str:
        """Return the draft that the session has of a root: an earlier one, or now this one.

        Of several at once one wins, and all get its id.
        """
        key = self._keys.session_roots(session)
        _, winner = await self._run("claim", [key], root, draft_id, self._ttl_ms)
        return str(winner, "utf-8")

    @guarded
    async def find(self, session: str, root: str) -> str | None:
        """Return the draft that the session has of a root, if it has one."""
        found: Any = await self._client.hget(self._keys.session_roots(session), root)
        return None if found is None else str(found, "utf-8")

    @guarded
    async def release(self, session: str, root: str, draft_id: str) -> None:
        """Let the root go, if this is the draft that the session has of it."""
        await self._run("release", [self._keys.session_roots(session)], root, draft_id)

    @guarded
    async def add(self, session: str, draft_id: str, at: datetime) -> None:
        """List a draft as of a time; one that is listed already moves there."""
        key = self._keys.session_drafts(session)
        await self._run("list", [key], (at - _EPOCH) // _TICK, draft_id, self._ttl_ms)

    @guarded
    async def reserve(
        self, session: str, draft_id: str, at: datetime, *, most: int
    ) -> list[Listed] | None:
        """List a draft as of a time, unless `most` are listed already: then return those.

        Of several at once no more are let in than there is room for.
        """
        key = self._keys.session_drafts(session)
        score = (at - _EPOCH) // _TICK
        match await self._run("reserve", [key], draft_id, score, self._ttl_ms, most):
            case ["full", flat]:
                pairs = zip(flat[::2], flat[1::2], strict=True)
                return [_listed(name, score) for name, score in pairs]
            case _:
                return None

    @guarded
    async def drafts(self, session: str, first: int, after: Listed | None = None) -> list[Listed]:
        """Return the next `first` drafts of a session, newest first."""
        key = self._keys.session_drafts(session)
        newest = "+inf" if after is None else (after.at - _EPOCH) // _TICK
        # Not limited here, because several may have one time; a session has few drafts.
        rows: Any = await self._client.zrevrangebyscore(key, newest, "-inf", withscores=True)
        listed = [_listed(draft_id, score) for draft_id, score in rows]
        return [row for row in listed if after is None or row < after][:first]

    @guarded
    async def forget(self, session: str, draft_ids: Collection[str]) -> None:
        """Take drafts off the list; one that is not on it is no error."""
        if draft_ids:
            await self._client.zrem(self._keys.session_drafts(session), *draft_ids)


def _listed(draft_id: bytes, score: bytes | float) -> Listed:
    return Listed(at=_EPOCH + int(float(score)) * _TICK, draft_id=draft_id.decode())
