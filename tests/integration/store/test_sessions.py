"""A session's drafts."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from gql_cluster.store.client import Client
from gql_cluster.store.keys import Keys
from gql_cluster.store.sessions import SessionIndex
from tests.integration.store.band import NOW


async def test_of_many_claims_at_once_one_wins(sessions: SessionIndex) -> None:
    """All get the id of the one draft; another session has its own."""
    ids = [f"d{i}" for i in range(20)]
    winners = await asyncio.gather(*(sessions.claim("ringo", "bands.Band:1", i) for i in ids))
    assert len(set(winners)) == 1
    assert await sessions.claim("george", "bands.Band:1", "other") == "other"


async def test_a_claim_is_released_only_by_its_draft(sessions: SessionIndex) -> None:
    """A late release of an earlier draft does no harm."""
    await sessions.claim("ringo", "bands.Band:1", "d1")
    await sessions.release("ringo", "bands.Band:1", "d2")
    assert await sessions.claim("ringo", "bands.Band:1", "d2") == "d1"
    await sessions.release("ringo", "bands.Band:1", "d1")
    assert await sessions.claim("ringo", "bands.Band:1", "d2") == "d2"


async def test_drafts_are_listed_newest_first_in_pages(sessions: SessionIndex) -> None:
    """A page goes on behind the last, also among drafts of one time, and if it is gone."""
    for number in range(6):
        await sessions.add("ringo", f"d{number}", NOW + timedelta(microseconds=number // 2))
    first = await sessions.drafts("ringo", 3)
    assert [row.draft_id for row in first] == ["d5", "d4", "d3"]
    assert first[0].at == NOW + timedelta(microseconds=2)
    await sessions.forget("ringo", ["d3", "nothing"])
    rest = await sessions.drafts("ringo", 9, first[-1])
    assert [row.draft_id for row in rest] == ["d2", "d1", "d0"]
    assert await sessions.drafts("george", 9) == []


async def test_the_index_of_a_session_expires(
    sessions: SessionIndex, client: Client, keys: Keys
) -> None:
    """Both of its keys do."""
    await sessions.add("ringo", "d1", NOW)
    await sessions.claim("ringo", "bands.Band:1", "d1")
    for key in (keys.session_drafts("ringo"), keys.session_roots("ringo")):
        assert 0 < await client.pttl(key) <= 300_000
