"""A draft of which Redis has evicted a part is gone: it never looks like another one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gql_cluster.domain.change import RemoveNodes
from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.spec import ROOT_KEY
from gql_cluster.domain.tree import Want
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted, Gone, Seen
from tests.integration.store.band import (
    FAMILY,
    MEMBERS,
    add_member,
    band_nodes,
    entry_of,
    new_draft,
    put,
    read,
    rename,
    stage,
)
from tests.integration.store.conftest import MakeStore

PARTS = ["meta", "nodes", "base", "index", "log", "done"]


async def edited(store: DraftStore) -> Draft:
    """Return a draft that has all its keys."""
    draft = await store.create(new_draft(), band_nodes())
    draft, _ = await stage(store, draft, rename("One"), add_member("pete"))
    outcome = await put(store, draft, change_id="once")
    assert isinstance(outcome, Accepted)
    return outcome.draft


@pytest.mark.parametrize("part", PARTS)
async def test_a_draft_without_one_of_its_keys_is_gone(
    store: DraftStore, client: Client, keys: Keys, part: str
) -> None:
    """Whatever is done with it, and nothing of it is written any more."""
    draft = await edited(store)
    cache = CopyCache(store, max_bytes=10**6, max_count=10)
    assert await cache.get(draft.id, FAMILY, fresh=True) is not None
    names = keys.draft(draft.id)
    assert await client.exists(*names) == len(names)
    await client.delete(names[PARTS.index(part)])
    left = [await client.exists(name) for name in names]
    assert await store.read(draft.id, FAMILY) is None
    assert await store.touched(draft.id) is None
    assert await put(store, draft) == Gone()
    assert await put(store, draft, change_id="once") == Gone()
    locking = await store.lock(draft.id, version=None, token="c", lease=timedelta(minutes=1))  # noqa: S106
    assert locking == Gone()
    ending = await store.close(draft.id, token=None, state=DraftState.DISCARDED, entry=entry_of(0))
    assert ending == Gone()
    await store.unlock(draft.id, "c")
    assert [await client.exists(name) for name in names] == left
    assert await cache.get(draft.id, FAMILY, fresh=True) is None


async def test_a_draft_that_never_had_a_key_is_there(store: DraftStore) -> None:
    """Without children, changes, change ids and a base, as they come and go."""
    [root] = [node for node in band_nodes(0) if node.key == ROOT_KEY]
    draft = await store.create(new_draft(pk=None), [replace(root, pk=None)])
    assert (await read(store, draft)).draft == draft
    assert await store.touched(draft.id) == {}
    outcome = await put(store, draft, change_id="once")
    assert isinstance(outcome, Accepted)
    assert await put(store, draft, change_id="once") == Seen(version=1, fingerprint="as asked")
    found = await store.read(draft.id, Want(), since=0)
    assert found is not None
    assert found.draft == outcome.draft


async def test_a_draft_whose_last_child_is_removed_is_there(store: DraftStore) -> None:
    """Its index is empty then, which is no eviction; the children may come back."""
    band = [node for node in band_nodes(1) if node.type != "Job"]
    draft = await store.create(new_draft(), band)
    remove = RemoveNodes(relation="members", keys=("members:0",))
    draft, _ = await stage(store, draft, remove)
    assert (await read(store, draft)).relations == {MEMBERS: []}
    draft, _ = await stage(store, draft, add_member("pete"))
    assert [key for _, key in (await read(store, draft)).relations[MEMBERS]] == ["pete"]


async def test_a_full_redis_takes_whole_drafts(own_client: Client, make_store: MakeStore) -> None:
    """Under real eviction each draft is there as it was, or it is gone."""
    await own_client.config_set("maxmemory-policy", "allkeys-random")
    store = make_store(client=own_client)
    drafts = []
    idle = await used(own_client)
    for number in range(60):
        draft = await store.create(new_draft(), band_nodes(20))
        drafts.append((await stage(store, draft, rename(f"Edit {number}")))[0])
    await own_client.config_set("maxmemory", idle + (await used(own_client) - idle) * 8 // 10)
    await own_client.set("one more", "x")
    await own_client.config_set("maxmemory", 0)
    there = 0
    for number, draft in enumerate(drafts):
        found = await store.read(draft.id, FAMILY, since=0)
        base = await store.touched(draft.id)
        assert (found is None) == (base is None)
        if found is None or base is None:
            continue
        there += 1
        root = found.nodes[ROOT_KEY]
        assert root is not None
        assert root.fields["name"] == f"Edit {number}"
        assert len(found.relations[MEMBERS]) == 20
        assert (len(found.entries), {*base}) == (1, {ROOT_KEY})
    assert 0 < there < 60


async def used(client: Client) -> int:
    """Return the bytes that a Redis uses."""
    return int((await client.info("memory"))["used_memory"])
