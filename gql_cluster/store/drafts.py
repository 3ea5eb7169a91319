"""The draft store: every way to read and to change a draft in Redis."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain

from gql_cluster.domain.draft import Draft, DraftState, Entry
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Want
from gql_cluster.store import wire
from gql_cluster.store.client import Client, Sent, guarded, transaction
from gql_cluster.store.codec import check_format, encode_draft, encode_entry
from gql_cluster.store.keys import Keys, index_member
from gql_cluster.store.results import (
    Accepted,
    Acquired,
    Appended,
    Behind,
    Closing,
    Ended,
    Locking,
    LockLost,
    Read,
    Stale,
    Taken,
)
from gql_cluster.store.scripts import Scripts


class DraftStore:
    """Drafts in one Redis; the only one that knows how they lie there.

    Each method is one round trip, more only where Redis lacks a script yet, and atomic. A draft
    expires `ttl` behind its last change, `closed_ttl` behind its end. The log keeps about
    `log_length` entries, never fewer as long as there are so many. Outcomes of change ids are
    kept as long as the draft, one a version.
    The client answers bytes, belongs to the running loop and stays its owner's to close.

    Every method raises `StoreUnavailableError`: a change may then have been applied, and its
    change id tells. `StoreFormatError` for a draft of a newer release.
    """

    def __init__(
        self,
        client: Client,
        *,
        ttl: timedelta,
        closed_ttl: timedelta,
        log_length: int,
        keys: Keys | None = None,
    ) -> None:
        """Take the client and the limits."""
        self._client = client
        self._run = Scripts(client)
        self._ttl = ttl
        self._closed_ttl = closed_ttl
        self._log_length = log_length
        self._keys = keys or Keys()

    @guarded
    async def create(self, draft: Draft, nodes: Collection[Node]) -> Draft:
        """Keep a new draft with a fresh id; returns its header with the expiry it has."""
        draft = replace(draft, expires_at=draft.created_at + self._ttl)
        keys = self._keys.draft(draft.id)
        meta, stored, _, index, *_ = keys
        places = [index_member(n.parent, n.relation, n.rank, n.key) for n in nodes if not n.removed]
        scored = [part for member in places if member is not None for part in (0, member)]
        commands: list[list[Sent]] = [
            ["HSET", meta, *chain.from_iterable(encode_draft(draft).items())],
            ["HSET", stored, *wire.node_args(nodes)],
        ]
        if scored:
            commands.append(["ZADD", index, *scored])
        # The header expires first: it must not outlive the rest.
        commands += [["PEXPIRE", key, _milliseconds(self._ttl)] for key in keys]
        await transaction(self._client, *commands)
        return draft

    @guarded
    async def read(
        self,
        draft_id: str,
        want: Want,
        *,
        since: int | None = None,
        change_id: str | None = None,
    ) -> Read | None:
        """Return the header and what is wanted, all of one version; None where no draft is.

        With `since` also the entries behind that version, with `change_id` what it came to.
        """
        return await self._read(draft_id, want, since, 0, change_id)

    @guarded
    async def entries(self, draft_id: str, after: int, limit: int) -> Read | None:
        """Return the header and the next entries behind a version; None where no draft is."""
        return await self._read(draft_id, Want(), after, limit, None)

    async def _read(
        self, draft_id: str, want: Want, since: int | None, limit: int, change_id: str | None
    ) -> Read | None:
        reply = await self._run(
            "read",
            self._keys.draft(draft_id),
            _from(since),
            limit,
            change_id or "",
            *wire.want_args(want),
        )
        match reply:
            case ["read", header, stream, *parts, outcome]:
                read = wire.with_parts(wire.to_read(header, stream, since), want, *parts)
                return replace(read, outcome=wire.to_seen(outcome) if outcome else None)
            case _:
                return None

    @guarded
    async def touched(self, draft_id: str) -> Mapping[str, Node | None] | None:
        """Return each key touched since open with its node as it was then, None where added.

        Empty for a new cluster, of which all is new. None where no draft is.
        """
        meta, _, base, *_ = self._keys.draft(draft_id)
        number, stored = await transaction(
            self._client, ["HGET", meta, "format"], ["HGETALL", base]
        )
        if number is None:
            return None
        check_format(number)
        return wire.to_base(stored)

    @guarded
    async def append(  # noqa: PLR0913 - one change set, said whole
        self,
        draft: Draft,
        entry: Entry,
        nodes: Collection[Node],
        *,
        tail: int,
        expected_version: int | None = None,
        fingerprint: str | None = None,
    ) -> Appended:
        """Keep a change set that was computed at exactly `draft.version`, or say why not.

        `nodes` are those that its deltas touch, as they are after it. The first of these that
        holds is returned: Gone, Seen, Closed, Locked, Stale (against `expected_version`),
        Behind (against `draft.version`), Taken (the key of a node that is added), Accepted. Only
        Accepted wrote anything.
        """
        if entry.version != draft.version + 1:
            message = f"entry {entry.version} does not follow version {draft.version}"
            raise ValueError(message)
        leave, come = wire.index_changes(entry.deltas)
        now = replace(
            draft,
            version=entry.version,
            tail=tail,
            updated_at=entry.at,
            expires_at=entry.at + self._ttl,
        )
        stored = wire.node_args(nodes)
        logged = encode_entry(entry)
        reply = await self._run(
            "append",
            self._keys.draft(draft.id),
            draft.version,
            "" if expected_version is None else expected_version,
            entry.change_id or "",
            fingerprint or "",
            logged,
            now.updated_at.isoformat(),
            now.expires_at.isoformat(),
            tail,
            _milliseconds(self._ttl),
            self._log_length,
            "" if draft.is_new else "1",
            *wire.counted(wire.fresh_keys(entry)),
            len(nodes),
            *stored,
            *wire.counted(leave),
            *wire.counted(come),
        )
        match reply:
            case ["accepted", _]:
                return Accepted(draft=now, size=len(logged) + sum(len(part) for part in stored))
            case ["seen", outcome]:
                return wire.to_seen(outcome)
            case ["stale", version]:
                return Stale(version=int(version))
            case ["taken", key]:
                return Taken(key=str(key, "utf-8"))
            case ["behind", header, stream]:
                return Behind(read=wire.to_read(header, stream, draft.version))
            case _:
                return wire.to_refusal(reply)

    @guarded
    async def lock(
        self,
        draft_id: str,
        *,
        version: int | None,
        token: str,
        lease: timedelta,
        take_over: str | None = None,
    ) -> Locking:
        """Lock an open draft for a commit, at this version if one is given.

        A lock whose lease is over is replaced only if `take_over` is its token. Locking again
        with the same token renews the lease.
        """
        reply = await self._run(
            "lock",
            self._keys.draft(draft_id),
            "" if version is None else version,
            token,
            _milliseconds(lease),
            take_over or "",
        )
        match reply:
            case ["acquired", header]:
                return Acquired(draft=wire.to_draft(header))
            case ["stale", at]:
                return Stale(version=int(at))
            case _:
                return wire.to_refusal(reply)

    @guarded
    async def unlock(self, draft_id: str, token: str) -> None:
        """Give the lock back, if it is held under this token."""
        await self._run("unlock", self._keys.draft(draft_id), token)

    @guarded
    async def close(
        self,
        draft_id: str,
        *,
        token: str | None,
        state: DraftState,
        entry_of: Callable[[int], Entry],
        fingerprint: str | None = None,
    ) -> Closing:
        """End a draft with one more entry: under the lock with this token, or where none is held.

        `entry_of` makes the entry of a version; nothing else of it depends on the version. A
        draft that has ended before is `Closed`, whichever way and whoever asks: a retry too.
        """
        entry = entry_of(0)
        reply = await self._run(
            "close",
            self._keys.draft(draft_id),
            token or "",
            state.value,
            entry.change_id or "",
            fingerprint or "",
            encode_entry(entry),
            entry.at.isoformat(),
            (entry.at + self._closed_ttl).isoformat(),
            _milliseconds(self._closed_ttl),
            self._log_length,
        )
        match reply:
            case ["ended", header]:
                draft = wire.to_draft(header)
                return Ended(draft=draft, entry=entry_of(draft.version))
            case ["lost"]:
                return LockLost()
            case _:
                return wire.to_refusal(reply)

    @guarded
    async def ping(self) -> None:
        """Return if Redis answers."""
        await self._client.ping()

    @guarded
    async def delete(self, draft_id: str) -> None:
        """Forget a draft at once, its log and outcomes too."""
        await self._client.delete(*self._keys.draft(draft_id))


def _from(version: int | None) -> int | str:
    return "" if version is None else max(version, 0)


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
