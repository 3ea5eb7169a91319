"""Those who edit a band are told when somebody saves it underneath, by the API or past it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.e2e.client import Client, Watcher
from tests.e2e.samples import member, named, wings
from tests.e2e.workers import manage

KEEP_OPEN = """
mutation KeepOpen($draft: ID!) {
  payload: commitBandDraft(draft: $draft, keepOpen: true) {
    draft { version state } errors { code }
  }
}
"""
REBASE = """
mutation Rebase($draft: ID!) {
  payload: rebaseDraft(draft: $draft, onConflict: MINE) { draft { version } errors { code } }
}
"""


@pytest.fixture
async def bob(stranger: Client, elsewhere: Client) -> Client:
    """Another session, at the second worker."""
    return stranger.at(elsewhere.worker)


@pytest.fixture
async def pk(client: Client) -> str:
    """A saved band of this test alone."""
    draft = await client.open(data=wings())
    return str((await client.commit(draft))["cluster"]["pk"])


async def base_changed(watcher: Watcher) -> Any:
    """Return the next notice that the base has changed; no event may come before it."""
    while True:
        notice = await watcher.notice()
        if notice["__typename"] == "BaseChanged":
            return notice
        assert notice["__typename"] == "EditorsChanged"


async def nothing_more(watcher: Watcher, editor: Client, draft: str) -> None:
    """See that nothing but the next edit is told, apart from who comes and goes."""
    edit = await editor.edit(draft, named("Marked"))
    while (event := await watcher.next(notices=True))["__typename"] != "DraftEdited":
        assert event["__typename"] == "EditorsChanged"
    assert event["version"] == edit["event"]["version"]


async def test_a_commit_of_another_session_is_told_with_its_conflicts(
    client: Client, bob: Client, pk: str
) -> None:
    """At the version of the moment, without a session; and that is told once."""
    mine, theirs = await client.open(pk=pk), await bob.open(pk=pk)
    await client.edit(mine, named("Mine"))
    await bob.edit(theirs, named("Theirs"), member("jimmy"))
    async with client.watch(mine, after=1) as watcher:
        await bob.commit(theirs)
        notice = await base_changed(watcher)
        assert (notice["version"], notice["sessionId"], notice["draftId"]) == (1, None, mine)
        assert notice["conflicts"] == [
            {"kind": "FIELD", "key": "root", "field": "name", "theirs": "Theirs", "mine": "Mine"}
        ]
        assert not (await client.payload(REBASE, draft=mine))["errors"]
        rebased = await watcher.next()
        assert (rebased["__typename"], rebased["cause"]) == ("DraftEdited", "REBASE")
        await nothing_more(watcher, client, mine)


async def test_a_save_by_another_process_is_told_at_every_worker(
    client: Client, elsewhere: Client, pk: str, database_url: str, worker_redis_url: str
) -> None:
    """As by a management command, which serves no GraphQL."""
    draft = await client.open(pk=pk)
    code = f"from schema.bands.models import *; BandMember.objects.filter(band={pk})[0].delete()"
    environ = {"DATABASE_URL": database_url, "REDIS_URL": worker_redis_url}
    async with client.watch(draft, after=0) as here, elsewhere.watch(draft, after=0) as there:
        await asyncio.to_thread(manage, "shell", "--no-imports", "-c", code, environ=environ)
        for watcher in (here, there):
            notice = await base_changed(watcher)
            assert (notice["version"], notice["conflicts"]) == (0, [])


async def test_who_was_away_is_told_once(client: Client, bob: Client, pk: str) -> None:
    """On resuming, and behind a snapshot; then not again."""
    mine, theirs = await client.open(pk=pk), await bob.open(pk=pk)
    async with client.watch(mine) as watcher:
        await watcher.next()
    await client.edit(mine, named("Mine"))
    await bob.edit(theirs, member("jimmy"))
    await bob.commit(theirs)
    for after, first in ((0, "DraftEdited"), (None, "DraftSnapshot")):
        async with client.watch(mine, after=after) as watcher:
            assert (await watcher.next(notices=True))["__typename"] == first
            if after == 0:
                assert (await base_changed(watcher))["conflicts"] == []
            else:
                assert (await base_changed(watcher))["version"] > 0
            await nothing_more(watcher, client, mine)


async def test_a_draft_that_stays_open_is_not_told_of_its_own_commit(
    client: Client, elsewhere: Client, pk: str
) -> None:
    """It is what it has committed."""
    draft = await client.open(pk=pk)
    async with elsewhere.watch(draft, after=0) as watcher:
        for number in range(3):
            await client.edit(draft, named(f"Name {number}"))
            kept = await client.payload(KEEP_OPEN, draft=draft)
            assert (kept["errors"], kept["draft"]["state"]) == ([], "OPEN")
        told = [(await watcher.next(notices=True))["__typename"] for _ in range(7)]
        told.remove("EditorsChanged")  # of its own arrival
        assert told == ["DraftEdited", "DraftCommitted"] * 3
        await nothing_more(watcher, client, draft)
