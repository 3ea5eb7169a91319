"""A worker's copies of drafts."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from gql_cluster.domain.copy import Copy, Snapshot
from gql_cluster.domain.draft import Draft
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted, Behind, Read
from gql_cluster.store.sharing import Sharing
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    ROOT,
    add_member,
    band_nodes,
    entry_of,
    new_draft,
    rename,
    staged,
)
from tests.integration.store.conftest import MakeStore


class Counted(CopyCache):
    """A cache whose reads of the store are counted."""

    def __init__(self, store: DraftStore, **bounds: int) -> None:
        super().__init__(store, **{"max_bytes": 10**6, "max_count": 100, **bounds})
        self.reads: list[Want] = []
        plain = store.read

        async def read(
            draft_id: str, want: Want, *, since: int | None = None, change_id: str | None = None
        ) -> Read | None:
            self.reads.append(want)
            return await plain(draft_id, want, since=since, change_id=change_id)

        store.read = read  # type: ignore[method-assign]


async def edit(cache: CopyCache, store: DraftStore, draft: Draft, key: str) -> Copy:
    """Rename the root and add a member through a cache, as a worker does."""
    copy = await cache.get(draft.id, Want(keys=frozenset({ROOT_KEY, key})), fresh=True)
    assert copy is not None
    while True:
        now = copy.draft
        applied = staged(Snapshot(copy), now, rename(f"By {key}"), add_member(key))
        entry = entry_of(now.version + 1, applied)
        match await store.append(
            now, entry, list(applied.nodes.values()), tail=applied.tail, stacks=now.stacks
        ):
            case Accepted(draft=after, size=size):
                await cache.apply(copy, entry, after, size=size)
                return copy
            case Behind(read=missed):
                await cache.take(copy, missed)
            case other:
                pytest.fail(f"not expected: {other}")


def shown(copy: Copy | None) -> object:
    """Return the version, the root's name and the order of the members."""
    assert copy is not None
    root = copy.node_at(copy.version, ROOT_KEY)
    assert root is not None
    order = [key for _, key in copy.siblings_at(copy.version, *MEMBERS)]
    return copy.version, root.fields["name"], order


async def test_what_is_known_needs_no_round_trip(make_store: MakeStore) -> None:
    """Only what is missing is asked for, and only what is fresh is asked again."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(2))
    cache = Counted(make_store())
    first = await cache.get(draft.id, ROOT, fresh=True)
    assert await cache.get(draft.id, ROOT, fresh=False) is first
    assert cache.reads == [ROOT]
    assert await cache.get(draft.id, FAMILY, fresh=False) is first
    assert cache.reads == [ROOT, Want(families=frozenset({MEMBERS}))]
    assert await cache.get(draft.id, FAMILY, fresh=True) is first
    assert cache.reads[2:] == [Want()]
    assert shown(first) == (0, "Band 0", ["members:0", "members:1"])


async def test_what_another_worker_did_is_seen_in_one_round_trip(make_store: MakeStore) -> None:
    """The missing entries come together with the missing parts."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    mine, theirs = Counted(make_store()), Counted(make_store())
    copy = await mine.get(draft.id, ROOT, fresh=True)
    await edit(theirs, store, draft, "pete")
    await edit(theirs, store, draft, "stu")
    assert await mine.get(draft.id, FAMILY, fresh=True) is copy
    assert len(mine.reads) == 2
    assert shown(copy) == (2, "By stu", ["members:0", "pete", "stu"])


async def test_many_tasks_of_two_workers_see_one_truth(make_store: MakeStore) -> None:
    """Reads and edits run into each other in every order; no copy goes astray."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    caches = [Counted(make_store()), Counted(make_store())]
    edits = [edit(caches[i % 2], store, draft, f"m{i}") for i in range(30)]
    reads = [caches[i % 2].get(draft.id, FAMILY, fresh=i % 3 == 0) for i in range(30)]
    await asyncio.gather(*(job for pair in zip(edits, reads, strict=True) for job in pair))
    one, two = [shown(await cache.get(draft.id, FAMILY, fresh=True)) for cache in caches]
    anew = shown(await Counted(make_store()).get(draft.id, FAMILY, fresh=True))
    assert one == two == anew
    assert anew[0] == 30  # type: ignore[index]


async def test_tasks_that_want_the_same_load_it_once(make_store: MakeStore) -> None:
    """The second waits for the first."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(2))
    cache = Counted(store)
    copies = await asyncio.gather(*(cache.get(draft.id, FAMILY, fresh=False) for _ in range(10)))
    assert len(set(map(id, copies))) == 1
    assert len(cache.reads) == 1


async def test_a_copy_that_the_log_does_not_reach_is_begun_anew(make_store: MakeStore) -> None:
    """With all that is wanted, in one more round trip."""
    store = make_store(log_length=1)
    draft = now = await store.create(new_draft(), band_nodes(1))
    cache = Counted(make_store())
    old = await cache.get(draft.id, FAMILY, fresh=True)
    for _ in range(250):
        outcome = await store.append(now, entry_of(now.version + 1), (), tail=0, stacks={})
        assert isinstance(outcome, Accepted)
        now = outcome.draft
    new = await cache.get(draft.id, FAMILY, fresh=True)
    assert new is not old
    assert shown(new) == (250, "Band 0", ["members:0"])
    assert len(cache.reads) == 3


async def test_who_was_let_in_is_known_without_a_new_version(
    make_store: MakeStore, client: Client, keys: Keys
) -> None:
    """The same copy has the header of now, also where entries come with it."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    cache = Counted(make_store())
    copy = await cache.get(draft.id, FAMILY, fresh=True)
    sharing = Sharing(client, keys=keys)
    await sharing.share(draft.id, "nonce")
    await sharing.join(draft.id, "paul", "nonce", most=9)
    assert await cache.get(draft.id, FAMILY, fresh=True) is copy
    assert copy is not None
    assert (copy.version, copy.draft.members, copy.draft.share) == (0, frozenset({"paul"}), "nonce")
    await edit(CopyCache(store, max_bytes=10**6, max_count=10), store, draft, "pete")
    await sharing.unshare(draft.id)
    assert await cache.get(draft.id, FAMILY, fresh=True) is copy
    assert (copy.version, copy.draft.members, copy.draft.share) == (1, frozenset(), "")


async def test_a_draft_that_went_back_is_begun_anew(make_store: MakeStore) -> None:
    """As after a failover of Redis that lost the last changes."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    cache = CopyCache(store, max_bytes=10**6, max_count=10)
    await edit(cache, store, draft, "pete")
    await store.delete(draft.id)
    await store.create(draft, band_nodes(1))
    copy = await cache.get(draft.id, FAMILY, fresh=True)
    assert shown(copy) == (0, "Band 0", ["members:0"])


async def test_another_draft_under_the_same_id_is_begun_anew(make_store: MakeStore) -> None:
    """Its log would fit, but tells of something else."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    cache = CopyCache(make_store(), max_bytes=10**6, max_count=10)
    await cache.get(draft.id, FAMILY, fresh=True)
    await store.delete(draft.id)
    later = replace(draft, created_at=draft.created_at + timedelta(hours=1))
    await store.create(later, band_nodes(2))
    await edit(CopyCache(make_store(), max_bytes=10**6, max_count=10), store, later, "pete")
    copy = await cache.get(draft.id, FAMILY, fresh=True)
    assert shown(copy) == (1, "By pete", ["members:0", "members:1", "pete"])


async def test_a_draft_that_is_gone_is_forgotten(make_store: MakeStore) -> None:
    """And is none from then on."""
    store = make_store()
    draft = await store.create(new_draft(), band_nodes(1))
    cache = CopyCache(store, max_bytes=10**6, max_count=10)
    assert await cache.get(draft.id, ROOT, fresh=True) is not None
    await store.delete(draft.id)
    assert await cache.get(draft.id, ROOT, fresh=True) is None
    assert await cache.get(draft.id, ROOT, fresh=False) is None


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize("bounds", [{"max_count": 2}, {"max_bytes": 900}])
async def test_the_least_recently_used_copy_is_forgotten_first(
    make_store: MakeStore, bounds: dict[str, int], *, fresh: bool
) -> None:
    """Past the number or the bytes that are allowed."""
    store = make_store()
    one, two, three = [await store.create(new_draft(), band_nodes(3)) for _ in range(3)]
    cache = Counted(make_store(), **bounds)
    await cache.get(one.id, FAMILY, fresh=False)
    await cache.get(two.id, FAMILY, fresh=False)
    await cache.get(one.id, FAMILY, fresh=fresh)
    await cache.get(three.id, FAMILY, fresh=False)
    loads = len(cache.reads)
    assert loads == 3 + fresh
    await cache.get(one.id, FAMILY, fresh=False)
    assert len(cache.reads) == loads
    await cache.get(two.id, FAMILY, fresh=False)
    assert len(cache.reads) == loads + 1
