"""Who may append: the draft's owner, and those who have joined it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gql_cluster.domain.draft import Draft, DraftState
from gql_cluster.domain.tree import Want
from gql_cluster.store.client import Client
from gql_cluster.store.drafts import DraftStore
from gql_cluster.store.keys import Keys
from gql_cluster.store.results import Accepted, Gone, Seen
from tests.integration.store.band import band_nodes, entry_of, new_draft, put, read

MEMBERS = frozenset({"george", "paul", 'st"u\\', "é"})


async def shared(store: DraftStore) -> Draft:
    """Return a draft that others have joined, who was asked with a token."""
    draft = replace(new_draft(), members=MEMBERS, share="a secret")
    return await store.create(draft, band_nodes())


async def test_who_has_joined_is_in_the_header(store: DraftStore) -> None:
    """With the secret of the tokens, and it stays so when somebody changes the draft."""
    draft = await shared(store)
    assert (await read(store, draft)).draft == draft
    outcome = await put(store, draft, session="paul")
    assert isinstance(outcome, Accepted)
    found = (await read(store, draft)).draft
    assert found == outcome.draft
    assert (found.members, found.share) == (MEMBERS, "a secret")


@pytest.mark.parametrize("session", ["ringo", *sorted(MEMBERS)])
async def test_the_owner_and_every_member_may_append(store: DraftStore, session: str) -> None:
    """Each under its own name."""
    draft = await shared(store)
    assert draft.admits(session)
    assert isinstance(await put(store, draft, session=session), Accepted)
    entry = await store.entry(draft.id, 1)
    assert entry is not None
    assert entry.session == session


@pytest.mark.parametrize(
    "session",
    [
        "pete",
        "paul ",
        "pau",
        "aul",
        "georg",
        "ring",
        "ringos",
        "",
        ",",
        '","',
        "[",
        "u\\",
        "stu",
        "É",
    ],
)
async def test_a_session_that_is_not_admitted_appends_nothing(
    store: DraftStore, session: str
) -> None:
    """A part of a member's name is no name, and nothing else of how they are kept either."""
    draft = await shared(store)
    assert not draft.admits(session)
    assert await put(store, draft, session=session) == Gone()
    assert (await read(store, draft)).draft == draft
    assert await store.entries(draft.id, 0, 1) == []


async def test_a_stranger_learns_nothing_of_a_draft(store: DraftStore) -> None:
    """Not whether it is locked, closed or stale, nor what a change id came to."""
    draft = await shared(store)
    assert isinstance(await put(store, draft, change_id="once"), Accepted)
    assert await put(store, draft, session="pete", change_id="once") == Gone()
    assert await put(store, draft, session="pete", expected_version=7) == Gone()
    await store.lock(draft.id, version=None, token="c", lease=timedelta(minutes=1))  # noqa: S106
    assert await put(store, draft, session="pete") == Gone()
    await store.close(draft.id, token="c", state=DraftState.COMMITTED, entry=entry_of(0))  # noqa: S106
    assert await put(store, draft, session="pete") == Gone()
    seen = await put(store, draft, session="paul", change_id="once")
    assert seen == Seen(version=1, fingerprint="as asked")


async def test_a_member_who_is_let_in_or_out_is_so_at_once(
    store: DraftStore, client: Client, keys: Keys
) -> None:
    """What the worker knows of the draft does not matter, nor is it written."""
    draft = await shared(store)
    await client.hset(keys.draft(draft.id)[0], "members", b'["pete"]')
    assert await put(store, draft, session="paul") == Gone()
    assert isinstance(await put(store, draft, session="pete"), Accepted)
    found = await store.read(draft.id, Want())
    assert found is not None
    assert found.draft.members == {"pete"}
