"""Expiry: told to whoever watches, on workers whose drafts live for seconds."""

from __future__ import annotations

import json
from datetime import datetime

import pytest

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.conftest import StartWorkers
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import named, wings

pytestmark = pytest.mark.once

TTL, NOTICE = 4, 2.5
SHORT = {
    "GQL_CLUSTER": json.dumps({"DRAFT_TTL": TTL, "EXPIRY_NOTICE": NOTICE, "POLL_INTERVAL": 60})
}


def at(text: str) -> datetime:
    """Return a time."""
    return datetime.fromisoformat(text)


async def test_expiry_is_told_before_and_then(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """An edit at another worker puts it off; in the end the draft is gone."""
    first, second = start_workers(2, **SHORT)
    client = await start_session(first)
    draft = await client.open(data=wings())
    async with client.watch(draft) as events:
        assert (await events.next(notices=True))["__typename"] == "DraftSnapshot"
        expiring = await events.next(notices=True)
        assert (expiring["__typename"], expiring["version"]) == ("DraftExpiring", 0)
        assert (expiring["sessionId"], expiring["changeId"]) == (None, None)
        assert expiring["draft"]["state"] == "OPEN"

        await client.at(second).edit(draft, named("Not yet"))
        assert (await events.next(notices=True))["version"] == 1
        later = await events.next(notices=True)
        assert (later["__typename"], later["version"]) == ("DraftExpiring", 1)
        assert at(later["expiresAt"]) > at(expiring["expiresAt"])
        assert (at(later["expiresAt"]) - at(later["at"])).total_seconds() <= NOTICE

        expired = await events.next(notices=True)
        assert (expired["__typename"], expired["version"]) == ("DraftExpired", 1)
        assert (expired["draftId"], expired["draft"]) == (draft, None)
        assert at(expired["at"]) >= at(later["expiresAt"])
        assert await events.completed()

    assert await client.draft(draft) is None
    async with client.watch(draft, after=1) as events:
        assert await events.refused() == ["NOT_FOUND"]
    assert (await client.post(operations.FOCUS, draft=draft, key="root")).codes == ["NOT_FOUND"]


async def test_who_comes_shortly_before_is_told_at_once(client: Client, elsewhere: Client) -> None:
    """A new draft is far from it, and nobody is told."""
    draft = await client.open(data=wings())
    async with elsewhere.watch(draft) as events:
        await events.next(notices=True)
        await client.edit(draft, named("Fresh"))
        assert (await events.next(notices=True))["__typename"] == "DraftEdited"


async def test_a_draft_that_is_closed_ends_by_its_last_event(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """Nothing is told of the expiry of what is over."""
    (worker,) = start_workers(1, **SHORT)
    client = await start_session(worker)
    draft = await client.open(data=wings())
    async with client.watch(draft) as events:
        await events.next(notices=True)
        await client.commit(draft)
        told = await events.next(notices=True)
        while told["__typename"] == "DraftExpiring":  # if the commit was that slow
            told = await events.next(notices=True)
        assert told["__typename"] == "DraftCommitted"
        assert await events.completed()
