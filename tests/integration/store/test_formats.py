"""Drafts that another release has stored: an older one's are served, a newer one's refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import pytest

from gql_cluster.domain.delta import Added, Updated
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry, Stack
from gql_cluster.domain.node import Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import Client
from gql_cluster.store.codec import FORMAT, StoreFormatError
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted, Acquired, Ended, Gone, Seen
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    NOW,
    ROOT,
    band_nodes,
    entry_of,
    new_draft,
    put,
    read,
    rename,
    stage,
)

Fields: TypeAlias = dict[Any, Any]  # as redis-py takes them

MINUTE = timedelta(minutes=1)
OPENED = "2026-01-02T03:04:05.678901+00:00"
EDITED = "2026-01-02T03:04:06.678901+00:00"
EXPIRES = "2026-01-02T03:09:06.678901+00:00"
NODES_1: Fields = {
    "root": b'\0["Band",1,null,"",{"name":"One"},{"genres":[]},1]',
    "members:0": b'root\0["Member",1,"members","b0000000",{"name":"Member 0"},{"genres":[]}]',
    "jobs:0": b'members:0\0["Job",1,"jobs","b0000000",{"name":"Job 0"},{"genres":[]}]',
    "pete": b'root\0["Member",null,"members","c0000001",{"name":"pete"},{"genres":[]},1]',
}
BASE_1: Fields = {"root": b'\0["Band",1,null,"",{"name":"Band 0"},{"genres":[]}]', "pete": b""}
INDEX_1 = (
    "members:0\0jobs\0b0000000\0jobs:0",
    "root\0members\0b0000000\0members:0",
    "root\0members\0c0000001\0pete",
)
EDIT_1 = (
    b'["' + EDITED.encode() + b'","ringo","c1","EDIT",[["updated","root","Band",null,null,'
    b'{"name":"Band 0"},{"name":"One"}],["added","pete","root",["Member",null,"members",'
    b'"c0000001",{"name":"pete"},{"genres":[]},1]]],null]'
)
COMMIT_1 = b'["' + EDITED.encode() + b'","ringo","c2","COMMIT",[],{"root":1,"pete":7}]'

PETE = Node(
    key="pete",
    type="Member",
    pk=None,
    parent=ROOT_KEY,
    relation="members",
    rank="c0000001",
    fields={"name": "pete"},
    sets={"genres": ()},
    version=1,
)
RENAMED = Updated(
    key=ROOT_KEY,
    type="Band",
    parent=None,
    relation=None,
    before={"name": "Band 0"},
    after={"name": "One"},
)
EDIT = replace(
    entry_of(1, change_id="c1"), deltas=(RENAMED, Added(node=PETE)), at=NOW + timedelta(seconds=1)
)


async def stored_by_format_1(
    client: Client, keys: Keys, *, state: DraftState = DraftState.OPEN
) -> Draft:
    """Write a draft, edited once, as the first release did, key by key; returns its header."""
    draft = replace(
        new_draft(),
        version=1,
        tail=1,
        state=state,
        updated_at=NOW + timedelta(seconds=1),
        expires_at=NOW + timedelta(minutes=5, seconds=1),
    )
    meta, nodes, base, index, log, done = keys.draft(draft.id)
    header: Fields = {
        "format": 1,
        "id": draft.id,
        "cluster": "Band",
        "pk": "1",
        "owner": "ringo",
        "state": state.value,
        "version": 1,
        "tail": 1,
        "created": OPENED,
        "updated": EDITED,
        "expires": EXPIRES,
    }
    await client.hset(meta, mapping=header)
    await client.hset(nodes, mapping=NODES_1)
    await client.hset(base, mapping=BASE_1)
    await client.zadd(index, dict.fromkeys(INDEX_1, 0))
    await client.xadd(log, {"entry": EDIT_1}, id="1-0")
    await client.hset(done, "c1", "1:as asked")
    if state is DraftState.COMMITTED:
        await client.xadd(log, {"entry": COMMIT_1}, id="2-0")
        await client.hset(meta, "version", 2)
        draft = replace(draft, version=2)
    for key in keys.draft(draft.id):
        await client.pexpire(key, 60_000)
    return draft


async def test_a_draft_of_format_1_is_read(store: DraftStore, client: Client, keys: Keys) -> None:
    """Nobody has joined it, nothing of it can be undone, and its log is without holes."""
    draft = await stored_by_format_1(client, keys)
    found = await store.read(draft.id, FAMILY, since=0, change_id="c1")
    assert found is not None
    assert found.draft == draft
    assert (draft.members, draft.share, draft.stamp, draft.stacks, draft.skipped) == (
        frozenset(),
        "",
        0,
        {},
        0,
    )
    assert (found.entries, found.gap) == ((EDIT,), False)
    assert found.outcome == Seen(version=1, fingerprint="as asked")
    assert found.nodes["pete"] == PETE
    assert [key for _, key in found.relations[MEMBERS]] == ["members:0", "pete"]
    [root, *_] = band_nodes(0)
    assert await store.touched(draft.id) == {ROOT_KEY: root, "pete": None}
    assert await store.entry(draft.id, 1) == EDIT


async def test_a_draft_of_format_1_takes_a_change(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """It is in the format of this release from then on, as an older worker has to be told."""
    draft = await stored_by_format_1(client, keys)
    stacks = {"ringo": Stack(undo=2)}
    assert await put(store, draft, change_id="c1") == Seen(version=1, fingerprint="as asked")
    assert await put(store, draft, session="george") == Gone()
    outcome = await put(store, draft, change_id="c3", stacks=stacks)
    assert isinstance(outcome, Accepted)
    assert (outcome.draft.version, outcome.draft.skipped) == (2, 0)
    now, applied = await stage(store, outcome.draft, rename("Two"))
    found = await store.read(draft.id, FAMILY, since=0)
    assert found is not None
    assert found.draft == now
    assert found.draft.stacks == stacks
    assert found.entries == (EDIT, entry_of(2, change_id="c3"), entry_of(3, applied))
    assert not found.gap
    [root, *_] = band_nodes(0)
    assert await store.touched(draft.id) == {ROOT_KEY: root, "pete": None}
    assert await client.hget(keys.draft(draft.id)[0], "format") == b"%d" % FORMAT


async def test_a_draft_of_format_1_is_locked_and_closed(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """By the next number; its format is this release's."""
    draft = await stored_by_format_1(client, keys)
    locking = await store.lock(draft.id, version=1, token="c", lease=MINUTE)  # noqa: S106
    assert locking == Acquired(draft=replace(draft, locked=True))
    ending = await store.close(
        draft.id,
        token="c",  # noqa: S106
        state=DraftState.COMMITTED,
        entry=replace(entry_of(0, change_id="end"), keys={ROOT_KEY: 1}),
    )
    assert isinstance(ending, Ended)
    assert (ending.entry.previous, ending.entry.version) == (1, 2)
    found = await store.read(draft.id, Want(), since=0)
    assert found is not None
    assert (found.draft, found.entries) == (ending.draft, (EDIT, ending.entry))
    assert await client.hget(keys.draft(draft.id)[0], "format") == b"%d" % FORMAT


async def test_a_draft_that_was_committed_in_format_1_shows_what_was_saved(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """A worker that has no copy of it learns that from its last entry."""
    draft = await stored_by_format_1(client, keys, state=DraftState.COMMITTED)
    copy = await CopyCache(store, max_bytes=10**6, max_count=1).get(draft.id, ROOT, fresh=True)
    assert copy is not None
    assert (copy.draft, copy.saved) == (draft, {ROOT_KEY: 1, "pete": 7})
    closing = Entry(
        version=2,
        previous=1,
        at=NOW + timedelta(seconds=1),
        session="ringo",
        change_id="c2",
        cause=Cause.COMMIT,
        keys={ROOT_KEY: 1, "pete": 7},
        named=(ROOT_KEY, "pete"),
    )
    assert await store.entry(draft.id, 2) == closing


async def test_a_draft_of_a_newer_release_is_refused(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """However it is read or changed, also by who knew it before; it stays as it is."""
    draft = await store.create(new_draft(), band_nodes())
    meta = keys.draft(draft.id)[0]
    await client.hset(meta, "format", FORMAT + 1)
    before = await client.hgetall(meta)
    for call in (
        store.read(draft.id, ROOT),
        store.touched(draft.id),
        put(store, draft),
        put(store, replace(draft, version=7)),
        store.lock(draft.id, version=None, token="c", lease=MINUTE),  # noqa: S106
        store.close(draft.id, token=None, state=DraftState.DISCARDED, entry=entry_of(0)),
    ):
        with pytest.raises(StoreFormatError, match=f"format {FORMAT + 1}"):
            await call
    assert await client.hgetall(meta) == before


async def test_a_new_draft_is_of_this_format(store: DraftStore, client: Client, keys: Keys) -> None:
    """From the first on."""
    draft = await store.create(new_draft(), band_nodes())
    assert (await read(store, draft)).draft == draft
    assert await client.hget(keys.draft(draft.id)[0], "format") == b"%d" % FORMAT
