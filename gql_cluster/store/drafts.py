"""The draft store: every way to read and to change a draft in Redis."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import Any

from gql_cluster.domain.batch import Batch
from gql_cluster.domain.draft import Draft, DraftState, Entry, Stack
from gql_cluster.domain.node import Node
from gql_cluster.domain.tree import Want
from gql_cluster.store import wire
from gql_cluster.store.capacity import Capacity, Room
from gql_cluster.store.client import Client, guarded
from gql_cluster.store.codec import (
    encode_draft,
    encode_entry,
    encode_stacks,
    encode_value,
)
from gql_cluster.store.keys import Keys
from gql_cluster.store.node import Sent
from gql_cluster.store.packs import pack
from gql_cluster.store.results import (
    Accepted,
    Acquired,
    Appended,
    Behind,
    Closing,
    Ended,
    Full,
    Locking,
    LockLost,
    Read,
    Rebased,
    Settled,
    Skip,
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

    def __init__(  # noqa: PLR0913 - all by name
        self,
        client: Client,
        *,
        ttl: timedelta,
        closed_ttl: timedelta,
        log_length: int,
        capacity: Capacity | None = None,
        keys: Keys | None = None,
    ) -> None:
        """Take the client and the limits."""
        self._capacity = capacity or Capacity()
        self._client = client
        self._run = Scripts(client)
        self._ttl = ttl
        self._closed_ttl = closed_ttl
        self._log_length = log_length
        self._keys = keys or Keys()

    @guarded
    async def create(
        self, draft: Draft, nodes: Collection[Node], batches: Iterable[Batch] = ()
    ) -> Draft:
        """Keep a new draft with a fresh id; returns its header with the expiry it has.

        Raises `LimitExceededError` for one that is larger than a draft may be.
        """
        draft = replace(draft, expires_at=draft.created_at + self._ttl)
        batches = [*batches]
        packed = pack(batches)
        stored = wire.node_args(nodes)
        counts = self._capacity.admit([*nodes], stored, batches, packed.values)
        header = [*chain.from_iterable((encode_draft(draft) | counts).items())]
        _, members = wire.index_changes((), nodes)
        await self._run(
            "create",
            self._keys.draft(draft.id),
            _milliseconds(self._ttl),
            *wire.counted([*header, *(("packs", packed.count) if packed.count else ())]),
            *wire.counted([*stored, *packed.values]),
            *wire.counted(members),
        )
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
        reply = await self._run(
            "read",
            self._keys.draft(draft_id),
            _from(since),
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
    async def entries(self, draft_id: str, after: int, limit: int) -> list[Entry]:
        """Return the next entries that are kept behind a version."""
        log = self._keys.draft(draft_id)[4]
        first = f"{max(after, 0) + 1}-0"
        stream: Any = await self._client.xrange(log, first, "+", count=limit)
        return [wire.to_entry(id_, [*chain.from_iterable(row.items())]) for id_, row in stream]

    async def entry(self, draft_id: str, version: int) -> Entry | None:
        """Return what a version did, None where that is not kept or there is no such draft."""
        found = await self.entries(draft_id, version - 1, 1)
        return found[0] if found and found[0].version == version else None

    @guarded
    async def touched(self, draft_id: str) -> Mapping[str, Node | None] | None:
        """Return each key touched since open with its node as it was then, None where added.

        Empty for a new cluster, of which all is new. None where no draft is.
        """
        match await self._run("touched", self._keys.draft(draft_id)):
            case ["touched", base, packs]:
                return wire.to_base(base, packs)
            case _:
                return None

    @guarded
    async def append(  # noqa: PLR0911, PLR0913 - one change set, said whole; one case an answer
        self,
        draft: Draft,
        entry: Entry,
        nodes: Collection[Node],
        *,
        tail: int,
        stacks: Mapping[str, Stack],
        expected_version: int | None = None,
        fingerprint: str | None = None,
        rebased: Rebased | None = None,
    ) -> Appended:
        """Keep a change set that was computed at exactly `draft.version`, or say why not.

        `nodes` are those that its deltas touch, as they are after it; `rebased` is the new
        base, where it brings one. The first of these that holds is returned: Gone (for the
        entry's session too that may not), Seen, Closed, Locked, Stale (against
        `expected_version`), Behind (against `draft.version`), Skip (the entry has to have
        another version), Taken (the key of a node that is added), Full, Accepted. Only Accepted
        wrote anything.
        """
        if entry.previous != draft.version:
            message = f"entry {entry.version} does not follow version {draft.version}"
            raise ValueError(message)
        leave, come = wire.index_changes(entry.deltas, nodes)
        now = replace(
            draft,
            version=entry.version,
            tail=tail,
            updated_at=entry.at,
            expires_at=entry.at + self._ttl,
            stacks=stacks,
            skipped=draft.skipped + entry.version - entry.previous - 1,
            stamp=draft.stamp if rebased is None else rebased.stamp,
            locked=False,
        )
        base = "new" if rebased is not None else "" if draft.is_new else "keep"
        stored = wire.node_args(nodes)
        logged = encode_entry(entry)
        reply = await self._run(
            "append",
            [*self._keys.draft(draft.id), self._keys.watchers(draft.id)],
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
            base,
            entry.session,
            entry.version,
            encode_stacks(stacks),
            now.stamp,
            now.skipped,
            self._capacity.nodes,
            self._capacity.bytes,
            *wire.counted(wire.fresh_keys(entry)),
            *wire.counted(stored),
            *wire.counted(leave),
            *wire.counted(come),
            *wire.counted(wire.base_args(rebased.base if rebased is not None else {})),
        )
        match reply:
            case ["accepted", _, watched]:
                size = len(logged) + sum(len(part) for part in stored)
                return Accepted(draft=now, size=size, is_watched=watched > 0)
            case ["seen", outcome]:
                return wire.to_seen(outcome)
            case ["stale", version]:
                return Stale(version=int(version))
            case ["skip", version]:
                return Skip(version=int(version))
            case ["taken", key]:
                return Taken(key=str(key, "utf-8"))
            case ["full", room]:
                return Full(of=Room(room.decode()))
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
    async def close(  # noqa: PLR0913 - an ending, said whole
        self,
        draft_id: str,
        *,
        token: str | None,
        state: DraftState,
        entry: Entry,
        fingerprint: str | None = None,
        settled: Settled | None = None,
    ) -> Closing:
        """End a draft with one more entry: under the lock with this token, or where none is held.

        With the state OPEN it goes on from what is `settled`. The entry's version is the
        store's to give. A draft that has ended before is `Closed`, whichever way and whoever
        asks: a retry too.
        """
        ttl = self._ttl if state is DraftState.OPEN else self._closed_ttl
        reply = await self._run(
            "close",
            self._keys.draft(draft_id),
            token or "",
            state.value,
            entry.change_id or "",
            fingerprint or "",
            encode_entry(entry),
            entry.at.isoformat(),
            (entry.at + ttl).isoformat(),
            _milliseconds(ttl),
            self._log_length,
            self._capacity.bytes,
            *_settled_args(entry, settled),
        )
        match reply:
            case ["ended", header, previous]:
                draft = wire.to_draft(header)
                ended = replace(entry, version=draft.version, previous=int(previous))
                return Ended(draft=draft, entry=ended)
            case ["lost"]:
                return LockLost()
            case _:
                return wire.to_refusal(reply)

    @guarded
    async def ping(self) -> None:
        """Return if Redis answers."""
        await self._client.ping()

    @guarded
    async def delete(self, draft_id: str) -> bool:
        """Forget a draft at once, its log, outcomes and watchers too; False where none is."""
        keys = [*self._keys.draft(draft_id), *self._keys.editors(draft_id)]
        return bool(await self._client.delete(*keys))


def _settled_args(entry: Entry, settled: Settled | None) -> list[Sent]:
    if settled is None:
        return [""]
    leave, come = wire.index_changes(entry.deltas, settled.nodes)
    return [
        encode_value(settled.pk),
        settled.stamp,
        *wire.counted(wire.node_args(settled.nodes)),
        *wire.counted(leave),
        *wire.counted(come),
    ]


def _from(version: int | None) -> int | str:
    return "" if version is None else max(version, 0)


def _milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
