"""Opening drafts: of what is new, of what is saved, and again."""

from __future__ import annotations

import asyncio

from tests.e2e import operations
from tests.e2e.client import Client
from tests.e2e.samples import named, wings


async def test_a_new_band_is_opened_from_one_nested_input_and_committed_at_once(
    client: Client, elsewhere: Client
) -> None:
    """Whoever reads meanwhile sees no band or all of it."""
    data = wings(name="Wings over America")
    draft = await client.open(data=data)
    assert (await client.draft(draft))["saved"] is None
    commit = asyncio.create_task(client.commit(draft))
    answers = []
    while not commit.done():
        answers.append((await elsewhere.data(operations.NAMED, name=data["name"]))["bands"])
    cluster = (await commit)["cluster"]
    assert (await elsewhere.data(operations.NAMED, name=data["name"]))["bands"] == [cluster]
    assert all(bands in ([], [cluster]) for bands in answers)
    assert [member["name"] for member in cluster["members"]] == [m["name"] for m in data["members"]]
    assert [album["title"] for album in cluster["albums"]] == [a["title"] for a in data["albums"]]
    for album, given in zip(cluster["albums"], data["albums"], strict=True):
        assert [song["title"] for song in album["songs"]] == [s["title"] for s in given["songs"]]
        assert [song["position"] for song in album["songs"]] == [
            number for number, _ in enumerate(given["songs"], start=1)
        ]


async def test_a_session_resumes_its_own_draft_on_any_worker(
    client: Client, elsewhere: Client, stranger: Client
) -> None:
    """Opened by both workers at once it is one draft; another session has one of its own."""
    saved = (await client.commit(await client.open(data=wings())))["cluster"]["pk"]
    first, second = await asyncio.gather(client.open(pk=saved), elsewhere.open(pk=saved))
    assert first == second
    await client.edit(first, named("Mine"))
    theirs = await stranger.open(pk=saved)
    assert theirs != first
    assert (await stranger.draft(theirs))["cluster"]["name"] == "Wings"
    assert await elsewhere.open(pk=saved, resume=False) != first
    assert (await elsewhere.draft(first))["cluster"]["name"] == "Mine"


async def test_a_copy_shares_nothing_with_its_source(client: Client, elsewhere: Client) -> None:
    """It has what the draft had, unsaved; committing it makes another band."""
    draft = await client.open(data=wings())
    await client.edit(draft, named("Copied"))
    copy = await elsewhere.open(copyOf=draft)
    await client.edit(draft, named("Source"))
    source, copied = await client.commit(draft), await elsewhere.commit(copy)
    assert source["cluster"]["name"] == "Source"
    assert copied["cluster"]["name"] == "Copied"
    assert source["cluster"]["pk"] != copied["cluster"]["pk"]
    assert len(copied["cluster"]["albums"][0]["songs"]) == 3


async def test_a_committed_draft_shows_what_was_saved(client: Client, elsewhere: Client) -> None:
    """Primary keys are there, and nothing is left to commit, on the worker and on another."""
    draft = await client.open(data=wings())
    saved = (await client.commit(draft))["cluster"]
    for reader in (client, elsewhere):
        closed = await reader.draft(draft)
        assert (closed["isNew"], closed["isDirty"], closed["changes"]) == (False, False, [])
        assert closed["saved"]["pk"] == closed["cluster"]["pk"] == saved["pk"]
        for relation in ("members", "albums"):
            assert [each["pk"] for each in closed["cluster"][relation]] == [
                each["pk"] for each in saved[relation]
            ]
