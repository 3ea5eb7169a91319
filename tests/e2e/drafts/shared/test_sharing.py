"""Two sessions at two workers share a draft by a link, until it is taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.samples import member, named, wings

pytestmark = pytest.mark.once

SHARE = """
mutation Share($draft: ID!) {
  payload: shareDraft(draft: $draft) { token expiresAt draft { id version } errors { code } }
}
"""
JOIN = """
mutation Join($token: String!) {
  payload: joinDraft(token: $token) {
    draft { id version state } event { version } errors { code message }
  }
}
"""
UNSHARE = """
mutation Unshare($draft: ID!) {
  payload: unshareDraft(draft: $draft) { draft { id version } errors { code } }
}
"""
DISCARD = "mutation($draft: ID!) { payload: discardDraft(draft: $draft) { errors { code } } }"
UNDO = "mutation($draft: ID!) { payload: undoDraft(draft: $draft) { errors { code } } }"
DRAFTS = "{ drafts { edges { node { id } } } }"


@pytest.fixture
async def bob(stranger: Client, elsewhere: Client) -> Client:
    """Another session, at the second worker."""
    return stranger.at(elsewhere.worker)


async def share(client: Client, draft: str) -> str:
    """Make a link that must be given, and return its token."""
    payload = await client.payload(SHARE, draft=draft)
    assert not payload["errors"]
    return str(payload["token"])


async def listed(client: Client) -> list[str]:
    """Return the drafts on a session's list."""
    return [edge["node"]["id"] for edge in (await client.data(DRAFTS))["drafts"]["edges"]]


def codes(payload: Any) -> list[str]:
    """Return the codes of a payload's errors."""
    return [error["code"] for error in payload["errors"]]


async def test_two_sessions_edit_one_draft_by_a_link(client: Client, bob: Client) -> None:
    """Each sees what the other does at once, undoes its own, and one of them commits."""
    ann = client
    draft = await ann.open(data=wings())
    assert await bob.draft(draft) is None
    shared = await ann.payload(SHARE, draft=draft)
    expires_at = datetime.fromisoformat(shared["expiresAt"])
    assert timedelta(days=6) < expires_at - datetime.now(UTC) <= timedelta(days=7)
    assert shared["draft"] == {"id": draft, "version": 0}

    joined = await bob.payload(JOIN, token=shared["token"])
    assert (joined["draft"]["id"], joined["draft"]["version"], joined["event"]) == (draft, 0, None)
    assert draft in await listed(bob)
    async with ann.watch(draft, after=0) as anns, bob.watch(draft, after=0) as bobs:
        await ann.edit(draft, named("Wings 1976"))
        assert [each["sessionId"] for each in await bobs.take(1)] == [ann.session]
        await bob.edit(draft, member("jimmy"))
        assert [each["sessionId"] for each in await anns.take(2)] == [ann.session, bob.session]
        assert not codes(await bob.payload(UNDO, draft=draft))
        now = await ann.draft(draft)
        assert now["cluster"]["name"] == "Wings 1976"
        assert "jimmy" not in [each["key"] for each in now["cluster"]["members"]]
        saved = await bob.commit(draft)
        for watcher, count in ((anns, 2), (bobs, 3)):
            last = (await watcher.take(count))[-1]
            assert (last["__typename"], last["sessionId"]) == ("DraftCommitted", bob.session)
            assert await watcher.completed()
    assert saved["receipt"]["sessionId"] == bob.session


async def test_a_stream_of_who_is_let_out_ends_and_the_owners_goes_on(
    client: Client, bob: Client
) -> None:
    """`NOT_FOUND` is the last that is told, and all that the draft answers from then on."""
    ann = client
    draft = await ann.open(data=wings())
    token = await share(ann, draft)
    await bob.payload(JOIN, token=token)
    async with ann.watch(draft) as anns, bob.watch(draft) as bobs:
        await anns.take(1)
        await bobs.take(1)
        unshared = await ann.payload(UNSHARE, draft=draft)
        assert (codes(unshared), unshared["draft"]["version"]) == ([], 0)
        assert await bobs.ended() == ["NOT_FOUND"]
        await ann.edit(draft, named("Ann's alone"))
        assert [event["version"] for event in await anns.take(1)] == [1]
    assert codes(await bob.try_edit(draft, named("Bob's"))) == ["NOT_FOUND"]
    assert await bob.draft(draft) is None
    assert draft not in await listed(bob)
    async with bob.watch(draft) as again:
        assert await again.refused() == ["NOT_FOUND"]
    refused = await bob.payload(JOIN, token=token)
    assert codes(refused) == ["NOT_FOUND"]
    assert refused["errors"][0]["message"] == "This link is not valid any more."


async def test_only_the_owner_may_share_unshare_and_discard(
    client: Client, bob: Client, stranger: Client
) -> None:
    """`FORBIDDEN` for who has joined, `NOT_FOUND` for everybody else."""
    draft = await client.open(data=wings())
    for mutation in (SHARE, UNSHARE, DISCARD):
        assert codes(await stranger.payload(mutation, draft=draft)) == ["NOT_FOUND"]
    await bob.payload(JOIN, token=await share(client, draft))
    for mutation in (SHARE, UNSHARE, DISCARD):
        assert codes(await bob.payload(mutation, draft=draft)) == ["FORBIDDEN"]
    assert not codes(await client.payload(DISCARD, draft=draft))
    assert (await bob.draft(draft))["state"] == "DISCARDED"


async def test_what_is_no_link_lets_nobody_in(client: Client, bob: Client) -> None:
    """A draft's id is none, and without a session there is nobody to let in."""
    draft = await client.open(data=wings())
    for token in ("", draft, "a:b:c", "🎸"):
        assert codes(await bob.payload(JOIN, token=token)) == ["NOT_FOUND"]
    token = await share(client, draft)
    nobody = Client(http=bob.http, worker=bob.worker)
    assert (await nobody.post(JOIN, token=token)).codes == ["UNAUTHENTICATED"]
