"""Locking a draft for a commit, and ending it."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

from gql_cluster.domain.draft import DraftState
from gql_cluster.domain.tree import Want
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import (
    Acquired,
    Closed,
    Closing,
    Ended,
    Gone,
    Locked,
    Locking,
    LockLost,
    Seen,
    Stale,
)
from tests.integration.store.band import band_nodes, entry_of, new_draft

LEASE = timedelta(minutes=1)
OVER = timedelta(0)


async def opened(store: DraftStore) -> str:
    """Return the id of a new draft."""
    return (await store.create(new_draft(), band_nodes())).id


async def locked(  # noqa: PLR0913 - as the store's own
    store: DraftStore,
    draft_id: str,
    token: str,
    *,
    lease: timedelta = LEASE,
    version: int | None = None,
    take_over: str | None = None,
) -> Locking:
    """Try to lock."""
    return await store.lock(
        draft_id, version=version, token=token, lease=lease, take_over=take_over
    )


async def ended(
    store: DraftStore,
    draft_id: str,
    token: str | None,
    state: DraftState = DraftState.COMMITTED,
) -> Closing:
    """Try to close."""
    return await store.close(
        draft_id,
        token=token,
        state=state,
        entry=entry_of(0, change_id="end"),
        fingerprint="end",
    )


async def test_of_twenty_locks_at_once_one_is_acquired(store: DraftStore) -> None:
    """All others are told who holds it."""
    draft_id = await opened(store)
    outcomes = await asyncio.gather(*(locked(store, draft_id, f"c{i}") for i in range(20)))
    assert Counter(type(outcome) for outcome in outcomes) == {Acquired: 1, Locked: 19}
    winner = next(f"c{i}" for i, o in enumerate(outcomes) if isinstance(o, Acquired))
    assert {outcome.token for outcome in outcomes if isinstance(outcome, Locked)} == {winner}


async def test_of_twenty_ends_at_once_one_is_the_end(store: DraftStore) -> None:
    """All others are told at which version."""
    draft_id = await opened(store)
    states = (DraftState.DISCARDED, DraftState.COMMITTED)
    outcomes = await asyncio.gather(
        *(ended(store, draft_id, None, states[i % 2]) for i in range(20))
    )
    assert Counter(type(outcome) for outcome in outcomes) == {Ended: 1, Closed: 19}
    winner = next(outcome for outcome in outcomes if isinstance(outcome, Ended))
    assert winner.entry.version == winner.draft.version == 1
    assert winner.entry.previous == 0
    assert Closed(state=winner.draft.state, version=1) in outcomes


async def test_a_lock_is_for_the_version_that_was_asked(store: DraftStore) -> None:
    """Another version is stale, and the draft stays free."""
    draft_id = await opened(store)
    assert await locked(store, draft_id, "c1", version=4) == Stale(version=0)
    outcome = await locked(store, draft_id, "c1", version=0)
    assert isinstance(outcome, Acquired)
    assert outcome.draft.version == 0


async def test_locking_again_with_the_same_token_renews_the_lease(store: DraftStore) -> None:
    """A retry of a lock whose reply was lost is harmless."""
    draft_id = await opened(store)
    await locked(store, draft_id, "c1", lease=OVER)
    assert isinstance(await locked(store, draft_id, "c1"), Acquired)
    outcome = await locked(store, draft_id, "c2")
    assert isinstance(outcome, Locked)
    assert timedelta(0) < outcome.left <= LEASE


async def test_a_lock_whose_lease_is_over_is_replaced_only_by_name(store: DraftStore) -> None:
    """Who takes over has looked whether that commit went through."""
    draft_id = await opened(store)
    await locked(store, draft_id, "dead", lease=OVER)
    outcome = await locked(store, draft_id, "c2")
    assert isinstance(outcome, Locked)
    assert outcome.token == "dead"  # noqa: S105
    assert outcome.version == 0
    assert outcome.lease_over
    assert isinstance(await locked(store, draft_id, "c2", take_over="other"), Locked)
    assert isinstance(await locked(store, draft_id, "c2", take_over="dead"), Acquired)
    assert isinstance(await locked(store, draft_id, "c3", take_over="c2"), Locked)
    assert isinstance(await ended(store, draft_id, "dead"), Locked)


async def test_only_its_own_token_gives_a_lock_back(store: DraftStore) -> None:
    """A commit that was taken over unlocks nobody."""
    draft_id = await opened(store)
    await locked(store, draft_id, "c1")
    await store.unlock(draft_id, "c2")
    assert isinstance(await locked(store, draft_id, "c2"), Locked)
    await store.unlock(draft_id, "c1")
    assert isinstance(await locked(store, draft_id, "c2"), Acquired)


async def test_a_draft_is_ended_by_who_holds_the_lock(store: DraftStore) -> None:
    """A discard waits for a commit, and a commit without its lock ends nothing."""
    draft_id = await opened(store)
    assert await ended(store, draft_id, "c1") == LockLost()
    await locked(store, draft_id, "c1", lease=OVER)
    assert isinstance(await ended(store, draft_id, None, DraftState.DISCARDED), Locked)
    assert isinstance(await ended(store, draft_id, "c1"), Ended)  # late, but nobody took over


async def test_an_ended_draft_says_how_and_when(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """Its last entry is in the log, its change id is known, and it expires sooner."""
    draft_id = await opened(store)
    await locked(store, draft_id, "c1")
    outcome = await ended(store, draft_id, "c1")
    assert isinstance(outcome, Ended)
    assert outcome.draft.state is DraftState.COMMITTED
    again = Closed(state=DraftState.COMMITTED, version=1)
    assert await ended(store, draft_id, "c1") == again
    assert await ended(store, draft_id, None, DraftState.DISCARDED) == again
    assert await locked(store, draft_id, "c2") == again
    found = await store.read(draft_id, Want(), since=0, change_id="end")
    assert found is not None
    assert found.entries == (outcome.entry,)
    assert found.draft == outcome.draft
    assert found.outcome == Seen(version=1, fingerprint="end")
    assert 0 < await client.pttl(keys.draft(draft_id)[1]) <= 60_000


async def test_a_draft_that_is_gone_can_be_neither_locked_nor_ended(store: DraftStore) -> None:
    """Nothing of it is written."""
    assert await locked(store, "nothing", "c1") == Gone()
    assert await ended(store, "nothing", None) == Gone()
    await store.unlock("nothing", "c1")
    assert await store.read("nothing", Want()) is None
