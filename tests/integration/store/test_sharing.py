"""Nonces and members of drafts: whoever joins has come by the nonce that the draft has."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gql_cluster.domain.copy import Snapshot
from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.error import StoreUnavailableError
from gql_cluster.store.cache import CopyCache
from gql_cluster.store.client import Client
from gql_cluster.store.codec import FORMAT, StoreFormatError
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted, Behind, Ended, Gone
from gql_cluster.store.sharing import Joining, Sharing
from tests.integration.store.band import (
    FAMILY,
    band_nodes,
    entry_of,
    loaded,
    new_draft,
    put,
    read,
    rename,
    staged,
)
from tests.integration.store.conftest import Server

MOST = 100


@pytest.fixture
def sharing(client: Client, keys: Keys) -> Sharing:
    """A store of nonces and members."""
    return Sharing(client, keys=keys)


@pytest.fixture
async def draft(store: DraftStore) -> Draft:
    """A draft that nobody has joined."""
    return await store.create(new_draft(), band_nodes())


async def test_of_many_nonces_at_once_one_wins(sharing: Sharing, draft: Draft) -> None:
    """All who share get the same, and so do those who share later."""
    given = await asyncio.gather(*(sharing.share(draft.id, f"n{i}") for i in range(20)))
    assert len(set(given)) == 1
    assert await sharing.share(draft.id, "late") == given[0]


async def test_whoever_joins_is_admitted_and_changes_nothing_else(
    sharing: Sharing, store: DraftStore, draft: Draft, client: Client, keys: Keys
) -> None:
    """The header tells the members; version, time of change and expiry are as before."""
    meta, *_ = keys.draft(draft.id)
    before = await client.pttl(meta)
    await sharing.share(draft.id, "n")
    for session in ("paul", "george", "paul", "ringo"):  # Ringo opened it
        assert await sharing.join(draft.id, session, "n", most=MOST) is Joining.JOINED
    now = (await read(store, draft)).draft
    assert now.members == {"paul", "george"}
    assert now.admits("george")
    assert (now.version, now.updated_at, now.expires_at) == (
        draft.version,
        draft.updated_at,
        draft.expires_at,
    )
    assert await client.pttl(meta) <= before


async def test_a_member_may_append_until_it_is_let_out(
    sharing: Sharing, store: DraftStore, draft: Draft
) -> None:
    """The store itself refuses a session that is no member, whatever a worker thinks."""
    await sharing.share(draft.id, "n")
    await sharing.join(draft.id, "paul", "n", most=MOST)

    async def edit() -> object:
        copy = await loaded(store, draft, rename("Paul's"))
        applied = staged(Snapshot(copy), copy.draft, rename("Paul's"))
        return await put(store, copy.draft, applied, session="paul")

    assert isinstance(await edit(), Accepted)
    await sharing.unshare(draft.id)
    assert isinstance(await edit(), Gone)


async def test_unsharing_drops_the_nonce_and_every_member(
    sharing: Sharing, store: DraftStore, draft: Draft
) -> None:
    """The old nonce lets nobody in any more, the next one is another."""
    await sharing.share(draft.id, "old")
    await sharing.join(draft.id, "paul", "old", most=MOST)
    assert await sharing.unshare(draft.id)
    now = (await read(store, draft)).draft
    assert (now.members, now.share) == (frozenset(), "")
    assert await sharing.join(draft.id, "paul", "old", most=MOST) is Joining.GONE
    assert await sharing.share(draft.id, "new") == "new"
    assert await sharing.join(draft.id, "paul", "old", most=MOST) is Joining.GONE
    assert await sharing.join(draft.id, "paul", "new", most=MOST) is Joining.JOINED


async def test_nobody_joins_what_is_not_shared(sharing: Sharing, draft: Draft) -> None:
    """Without a nonce there is none to match, not even an empty one."""
    assert await sharing.join(draft.id, "paul", "", most=MOST) is Joining.GONE
    assert await sharing.join(draft.id, "paul", "n", most=MOST) is Joining.GONE


async def test_no_join_outlives_the_unshare_that_it_races_with(
    sharing: Sharing, store: DraftStore, draft: Draft
) -> None:
    """Whatever comes first, nobody is a member under a nonce that was dropped."""
    for turn in range(20):
        nonce = await sharing.share(draft.id, f"n{turn}")
        assert nonce is not None
        joins = [sharing.join(draft.id, f"s{i}", nonce, most=MOST) for i in range(5)]
        await asyncio.gather(*joins[:3], sharing.unshare(draft.id), *joins[3:])
        assert not (await read(store, draft)).draft.members


async def test_no_more_join_than_may(sharing: Sharing, store: DraftStore, draft: Draft) -> None:
    """Who is in already is not counted again, nor is the owner."""
    await sharing.share(draft.id, "n")
    joining = await asyncio.gather(
        *(sharing.join(draft.id, f"s{i}", "n", most=3) for i in range(10))
    )
    assert sorted(each.name for each in joining) == ["FULL"] * 7 + ["JOINED"] * 3
    for session in (*(await read(store, draft)).draft.members, "ringo"):
        assert await sharing.join(draft.id, session, "n", most=3) is Joining.JOINED


async def test_what_was_under_way_does_not_let_anybody_back_in(
    sharing: Sharing, store: DraftStore, draft: Draft
) -> None:
    """A worker's copy keeps the newest members, whatever an append of before tells of them."""
    cache = CopyCache(store, max_bytes=10**6, max_count=10)
    await sharing.share(draft.id, "n")
    await sharing.join(draft.id, "paul", "n", most=MOST)
    copy = await cache.get(draft.id, FAMILY, fresh=True)
    assert copy is not None
    applied = staged(Snapshot(copy), copy.draft, rename("One"))
    accepted = await put(store, copy.draft, applied)
    behind = await put(store, copy.draft, applied)
    assert isinstance(accepted, Accepted)
    assert isinstance(behind, Behind)
    await sharing.unshare(draft.id)
    copy.renew(replace((await read(store, draft)).draft, version=0))

    await cache.apply(copy, entry_of(1, applied), accepted.draft)
    assert (copy.version, copy.draft.members) == (1, frozenset())
    await cache.take(copy, behind.read)
    assert (copy.version, copy.draft.members) == (1, frozenset())


async def test_a_closed_draft_is_joined_for_as_long_as_it_lasts(
    sharing: Sharing, store: DraftStore, draft: Draft
) -> None:
    """Its expiry stays what the closing has made it."""
    await sharing.share(draft.id, "n")
    ended = await store.close(draft.id, token=None, state=DraftState.DISCARDED, entry=entry_of(0))
    assert isinstance(ended, Ended)
    assert await sharing.join(draft.id, "paul", "n", most=MOST) is Joining.JOINED
    now = (await read(store, draft)).draft
    assert now.admits("paul")
    assert now.expires_at == ended.draft.expires_at


async def test_what_is_gone_is_not_made_by_sharing_it(
    sharing: Sharing, client: Client, keys: Keys
) -> None:
    """No key is left of a draft that is not there."""
    assert await sharing.share("nothing", "n") is None
    assert await sharing.join("nothing", "paul", "n", most=MOST) is Joining.GONE
    assert not await sharing.unshare("nothing")
    assert not await client.exists(*keys.draft("nothing"))


async def test_a_draft_of_a_newer_release_is_left_alone(
    sharing: Sharing, client: Client, keys: Keys, draft: Draft
) -> None:
    """Its header may mean something else by then."""
    await client.hset(keys.draft(draft.id)[0], "format", FORMAT + 1)
    for call in (
        sharing.share(draft.id, "n"),
        sharing.join(draft.id, "paul", "n", most=MOST),
        sharing.unshare(draft.id),
    ):
        with pytest.raises(StoreFormatError):
            await call


async def test_a_store_that_is_away_is_told(own_server: Server, own_client: Client) -> None:
    """As by every other store."""
    sharing = Sharing(own_client)
    own_server.stop()
    with pytest.raises(StoreUnavailableError):
        await sharing.share("d", "n")
