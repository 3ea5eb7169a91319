"""What a commit has saved becomes a draft's base, and what a rebase brings."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from gql_cluster.domain.change import End, MoveNode, RemoveNodes
from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.draft import Cause, Draft, DraftState, Entry
from gql_cluster.domain.node import Json, Node
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import (
    Accepted,
    Acquired,
    Closed,
    Closing,
    Ended,
    Locked,
    LockLost,
    Rebased,
    Seen,
    Settled,
    Skip,
)
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    NOW,
    add_member,
    band_nodes,
    entry_of,
    loaded,
    new_draft,
    put,
    read,
    rename,
    stage,
    staged,
)
from tests.integration.store.conftest import MakeStore, Server

TOKEN = "a commit"  # noqa: S105
MINUTE = timedelta(minutes=1)
CHANGES = (
    rename("As saved"),
    add_member("stu"),
    RemoveNodes(relation="members", keys=("members:0",)),
    MoveNode(relation="members", key="members:2", place=End.FIRST),
)
ORDER = ["members:2", "members:1", "pete", "stu"]


@dataclass(frozen=True, kw_only=True)
class Saving:
    """A commit of a draft that holds its lock: what it has saved, and how it ends."""

    store: DraftStore
    draft: Draft
    entry: Entry
    settled: Settled

    async def end(self, state: DraftState, token: str | None = TOKEN) -> Closing:
        """End it, or try to."""
        return await self.store.close(
            self.draft.id,
            token=token,
            state=state,
            entry=self.entry,
            fingerprint="end",
            settled=self.settled,
        )

    async def ended(self, state: DraftState) -> Ended:
        """End it."""
        ending = await self.end(state)
        assert isinstance(ending, Ended)
        return ending


async def saving(store: DraftStore, *, pk: Json = None) -> Saving:
    """Save a draft to which a member was added; meanwhile others have changed the cluster."""
    nodes = [replace(node, pk=None) if pk is None else node for node in band_nodes(3)]
    draft = await store.create(new_draft(pk=pk), nodes)
    draft, _ = await stage(store, draft, rename("One"), add_member("pete"))
    locking = await store.lock(draft.id, version=1, token=TOKEN, lease=MINUTE)
    assert isinstance(locking, Acquired)
    copy = await loaded(store, draft, *CHANGES)
    applied = staged(Snapshot(copy), draft, *CHANGES)
    keys: Mapping[str, Json] = {ROOT_KEY: 70, "pete": 71, "members:1": 72}
    named = await read(store, draft, Want(keys=frozenset(keys)))
    before = {key: node for key, node in named.nodes.items() if node is not None}
    after = {**before, **applied.nodes}
    saved = [replace(node, pk=keys.get(key, node.pk)) for key, node in after.items()]
    entry = replace(
        entry_of(0, applied, change_id="end"),
        at=NOW + timedelta(minutes=1),
        cause=Cause.COMMIT,
        keys=keys,
    )
    settled = Settled(pk=70, stamp=3, nodes=saved)
    return Saving(store=store, draft=draft, entry=entry, settled=settled)


def by_key(nodes: Settled) -> dict[str, Node]:
    """Return what is settled by key."""
    return {node.key: node for node in nodes.nodes}


async def copied(cache: CopyCache, draft: Draft, want: Want = FAMILY) -> Copy:
    """Return a worker's copy of now."""
    copy = await cache.get(draft.id, want, fresh=True)
    assert copy is not None
    return copy


async def test_a_draft_that_stays_open_goes_on_from_what_is_saved(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """Its nodes, their order, its base, its primary key and its stamp are of the commit."""
    commit = await saving(store)
    ending = await commit.ended(DraftState.OPEN)
    assert (ending.entry.previous, ending.entry.version) == (1, 2)
    assert ending.draft == replace(
        commit.draft,
        version=2,
        pk=70,
        stamp=3,
        updated_at=NOW + timedelta(minutes=1),
        expires_at=NOW + timedelta(minutes=6),
    )
    settled = by_key(commit.settled)
    found = await store.read(
        commit.draft.id, replace(FAMILY, keys=frozenset(settled)), since=1, change_id="end"
    )
    assert found is not None
    assert found.draft == ending.draft
    assert found.entries == (ending.entry,)
    assert found.outcome == Seen(version=2, fingerprint="end")
    assert {key: found.nodes[key] for key in settled} == settled
    assert [key for _, key in found.relations[MEMBERS]] == ORDER
    assert await store.touched(commit.draft.id) == {}
    left = [await client.pttl(key) for key in keys.draft(commit.draft.id)]
    assert left[2] == -2  # the base
    assert all(200_000 < milliseconds <= 300_000 for milliseconds in left[:2] + left[3:])


async def test_a_draft_that_stays_open_takes_the_next_change(store: DraftStore) -> None:
    """The lock is released, and what is touched from then on has what was saved as its base."""
    commit = await saving(store)
    ending = await commit.ended(DraftState.OPEN)
    now, _ = await stage(store, ending.draft, rename("Two"), add_member("brian"))
    assert now.version == 3
    settled = by_key(commit.settled)
    assert await store.touched(now.id) == {ROOT_KEY: settled[ROOT_KEY], "brian": None}
    again = await store.lock(now.id, version=3, token="another", lease=MINUTE)  # noqa: S106
    assert again == Acquired(draft=replace(now, locked=True))


@pytest.mark.parametrize("pk", [None, 1])
@pytest.mark.parametrize("state", [DraftState.OPEN, DraftState.COMMITTED])
async def test_a_copy_that_follows_a_commit_equals_one_that_is_begun_after_it(
    make_store: MakeStore, state: DraftState, pk: Json
) -> None:
    """With the primary keys that were given, of a new cluster and of a saved one."""
    commit = await saving(make_store(), pk=pk)
    caches = [CopyCache(make_store(), max_bytes=10**6, max_count=10) for _ in range(2)]
    want = replace(FAMILY, keys=frozenset(by_key(commit.settled)))
    before = await copied(caches[0], commit.draft, want)
    ending = await commit.ended(state)
    after = await copied(caches[0], commit.draft, want)
    assert after is before
    anew = await copied(caches[1], commit.draft, want)
    assert after.draft == anew.draft == ending.draft
    for key, node in by_key(commit.settled).items():
        assert after.node_at(2, key) == anew.node_at(2, key) == node
    assert after.siblings_at(2, *MEMBERS) == anew.siblings_at(2, *MEMBERS)
    root = after.node_at(1, ROOT_KEY)
    assert root is not None
    assert root.fields == {"name": "One"}


async def test_a_draft_that_is_closed_may_settle_too(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """It shows what was saved, as a merge has made it, for as long as closed drafts are kept."""
    commit = await saving(store, pk=1)
    ending = await commit.ended(DraftState.COMMITTED)
    assert (ending.draft.state, ending.draft.pk, ending.draft.stamp) == (
        DraftState.COMMITTED,
        70,
        3,
    )
    found = await read(store, ending.draft)
    assert [key for _, key in found.relations[MEMBERS]] == ORDER
    assert found.nodes[ROOT_KEY] == by_key(commit.settled)[ROOT_KEY]
    assert await store.touched(ending.draft.id) == {}
    assert await put(store, ending.draft) == Closed(state=DraftState.COMMITTED, version=2)
    assert 0 < await client.pttl(keys.draft(commit.draft.id)[0]) <= 60_000


@pytest.mark.parametrize("state", [DraftState.OPEN, DraftState.COMMITTED])
async def test_of_ten_ends_of_one_commit_one_settles(store: DraftStore, state: DraftState) -> None:
    """A retry, or another worker that finds the receipt, does nothing twice."""
    commit = await saving(store)
    endings = await asyncio.gather(*(commit.end(state) for _ in range(10)))
    late = LockLost if state is DraftState.OPEN else Closed
    assert Counter(map(type, endings)) == {Ended: 1, late: 9}
    assert [entry.version for entry in await store.entries(commit.draft.id, 0, 9)] == [1, 2]


@pytest.mark.parametrize("token", [None, "another"])
async def test_a_commit_without_the_lock_settles_nothing(
    store: DraftStore, token: str | None
) -> None:
    """All stays as it was."""
    commit = await saving(store)
    want = replace(FAMILY, keys=frozenset(by_key(commit.settled)))
    before = await read(store, commit.draft, want)
    assert isinstance(await commit.end(DraftState.OPEN, token), Locked)
    await store.unlock(commit.draft.id, TOKEN)
    assert await commit.end(DraftState.OPEN) == LockLost()
    after = await read(store, commit.draft, want)
    assert after == replace(before, draft=replace(before.draft, locked=False))


async def test_a_commit_behind_a_restart_settles_by_the_number_that_skips(
    make_store: MakeStore, keeping_server: Server, keeping_client: Client
) -> None:
    """Readers come across, and edits go on from there."""
    store = make_store(client=keeping_client)
    commit = await saving(store)
    cache = CopyCache(store, max_bytes=10**6, max_count=10)
    copy = await copied(cache, commit.draft)
    await asyncio.to_thread(keeping_server.restart)
    ending = await commit.ended(DraftState.OPEN)
    version = ending.draft.version
    assert version >= 10_001
    assert (ending.entry.previous, ending.draft.skipped) == (1, version - 2)
    assert await copied(cache, commit.draft) is copy
    assert copy.draft == ending.draft
    assert [key for _, key in copy.siblings_at(version, *MEMBERS)] == ORDER
    now, _ = await stage(store, ending.draft, rename("Two"))
    assert now.version == version + 1


# Rebase


def moved_on(nodes: list[Node]) -> dict[str, Node | None]:
    """Return a base in which others have renamed the root, and added what the draft has too."""
    root = next(node for node in nodes if node.key == ROOT_KEY)
    theirs = replace(root, fields={"name": "Theirs"})
    return {ROOT_KEY: theirs, "members:1": None}


async def test_a_rebase_replaces_the_base_wholly(store: DraftStore) -> None:
    """What is not in the new one is touched no more, though the draft had touched it."""
    nodes = band_nodes(3)
    draft = await store.create(new_draft(), nodes)
    draft, _ = await stage(store, draft, rename("One"), add_member("pete"))
    copy = await loaded(store, draft, rename("Two"), add_member("stu"))
    applied = staged(Snapshot(copy), draft, rename("Two"), add_member("stu"))
    base = moved_on(nodes)
    outcome = await put(store, draft, applied, rebased=Rebased(base=base, stamp=5))
    assert isinstance(outcome, Accepted)
    assert (outcome.draft.version, outcome.draft.stamp) == (2, 5)
    assert await store.touched(draft.id) == base
    assert (await read(store, draft)).draft == outcome.draft
    now, _ = await stage(store, outcome.draft, rename("Three"), add_member("brian"))
    assert now.stamp == 5
    assert await store.touched(draft.id) == {**base, "brian": None}


async def test_a_rebase_may_leave_no_base(store: DraftStore) -> None:
    """As where others have made the same changes; the draft is there all the same."""
    draft = await store.create(new_draft(), band_nodes())
    draft, _ = await stage(store, draft, rename("One"))
    outcome = await put(store, draft, rebased=Rebased(base={}, stamp=1))
    assert isinstance(outcome, Accepted)
    assert await store.touched(draft.id) == {}
    now, _ = await stage(store, outcome.draft, rename("Two"))
    base = await store.touched(now.id)
    assert base is not None
    assert (root := base[ROOT_KEY]) is not None
    assert root.fields == {"name": "One"}


async def test_a_rebase_that_is_refused_leaves_the_base(
    make_store: MakeStore, keeping_server: Server, keeping_client: Client
) -> None:
    """Also where only its number has to be another one."""
    store = make_store(client=keeping_client)
    draft = await store.create(new_draft(), band_nodes())
    draft, _ = await stage(store, draft, rename("One"))
    before = await store.touched(draft.id)
    rebased = Rebased(base={}, stamp=1)
    await asyncio.to_thread(keeping_server.restart)
    outcome = await put(store, draft, rebased=rebased)
    assert isinstance(outcome, Skip)
    assert (await store.touched(draft.id), (await read(store, draft)).draft) == (before, draft)
    again = await put(store, draft, version=outcome.version, rebased=rebased)
    assert isinstance(again, Accepted)
    assert await store.touched(draft.id) == {}
