"""Following a draft over a WebSocket at another worker than the editor's."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from secrets import token_urlsafe
from typing import Any

import pytest

from tests.e2e import operations
from tests.e2e.client import Client, Watcher, open_socket
from tests.e2e.conftest import StartWorkers
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import in_album, member, move, named, wings

pytestmark = pytest.mark.once


def told(change: dict[str, Any]) -> tuple[Any, ...]:
    """Return what of a change says where it was."""
    return tuple(change[name] for name in ("kind", "key", "typename", "relation", "parentKey"))


def field(name: str, before: Any, after: Any) -> dict[str, Any]:
    """Return a field change."""
    return {"name": name, "before": before, "after": after}


async def test_a_second_client_sees_the_snapshot_each_edit_and_the_commit(
    client: Client, elsewhere: Client
) -> None:
    """In order, each with its changes node by node; then the service ends the subscription."""
    draft = await client.open(data=wings())
    before = (await client.draft(draft))["cluster"]
    async with elsewhere.watch(draft) as watcher:
        snapshot = await watcher.next()
        assert (snapshot["__typename"], snapshot["version"]) == ("DraftSnapshot", 0)
        assert (snapshot["sessionId"], snapshot["changeId"]) == (None, None)
        assert snapshot["draft"]["cluster"] == before

        edits = [
            await client.edit(draft, named("Wings 1976"), member("jimmy"), change_id="one"),
            await client.edit(draft, move("jimmy", before="linda"), change_id="two"),
            await client.edit(
                draft,
                in_album("run", {"songs": {"update": {"key": "run-2", "set": {"title": "Jets"}}}}),
                {"members": {"remove": ["denny"]}},
                change_id="three",
            ),
        ]
        events = await watcher.take(3)
        for event, edit in zip(events, edits, strict=True):
            del event["draft"]
            assert event == edit["event"]
        assert [event["version"] for event in events] == [1, 2, 3]
        assert [event["changeId"] for event in events] == ["one", "two", "three"]
        assert {event["sessionId"] for event in events} == {client.session}
        assert {event["draftId"] for event in events} == {draft}

        rename, add = events[0]["changes"]
        assert told(rename) == ("UPDATED", "root", "Band", None, None)
        assert rename["fields"] == [field("name", "Wings", "Wings 1976")]
        assert rename["node"] == {"__typename": "Band", "key": "root", "name": "Wings 1976"}
        assert told(add) == ("ADDED", "jimmy", "BandMember", "members", "root")
        assert add["fields"] == [
            field("name", None, "Jimmy"),
            field("instrument", None, "OTHER"),
        ]
        assert add["node"]["position"] == 4
        [moved] = events[1]["changes"]
        assert told(moved) == ("MOVED", "jimmy", "BandMember", "members", "root")
        assert (moved["fields"], moved["node"]["position"]) == ([], 2)
        update, remove = events[2]["changes"]
        assert told(update) == ("UPDATED", "run-2", "Song", "songs", "run")
        assert update["fields"] == [field("title", "Jet", "Jets")]
        assert told(remove) == ("REMOVED", "denny", "BandMember", "members", "root")
        assert field("name", "Denny Laine", None) in remove["fields"]
        assert remove["node"] is None

        committed = await client.commit(draft, change_id="save")
        last = await watcher.next()
        assert (last["__typename"], last["version"]) == ("DraftCommitted", 4)
        assert (last["changeId"], last["sessionId"]) == ("save", client.session)
        assert last["keys"] == committed["keys"]
        assert last["draft"]["state"] == "COMMITTED"
        assert await watcher.completed()


async def test_reconnecting_ten_times_gives_every_version_once(
    client: Client, elsewhere: Client
) -> None:
    """Edits run through both workers; each time the subscriber comes to the other one."""
    draft = await client.open(data=wings())
    each = 30

    async def edit(editor: Client, name: str) -> None:
        for number in range(each):
            await editor.edit(draft, named(f"{name} {number}"))

    seen: list[int] = []

    async def follow(worker: Client, count: int, *, cut: bool = False) -> None:
        async with worker.watch(draft, after=seen[-1] if seen else 0) as watcher:
            events = await watcher.take(count)
            if cut:
                watcher.cut()
        assert {event["__typename"] for event in events} == {"DraftEdited"}
        seen.extend(event["version"] for event in events)

    async with asyncio.TaskGroup() as editors:
        editors.create_task(edit(client, "here"))
        editors.create_task(edit(elsewhere, "there"))
        for turn in range(10):
            await follow((client, elsewhere)[turn % 2], turn % 4 + 2, cut=turn % 3 == 0)
    await follow(elsewhere, 2 * each - len(seen))
    assert seen == list(range(1, 2 * each + 1))


async def test_a_place_that_never_was_begins_with_a_snapshot(client: Client) -> None:
    """Whoever is ahead of the draft, as after a loss in Redis, gets the draft as it is."""
    draft = await client.open(data=wings())
    async with client.watch(draft, after=99) as events:
        event = await events.next()
    assert (event["__typename"], event["version"]) == ("DraftSnapshot", 0)


async def test_a_discard_is_the_last_event(client: Client, elsewhere: Client) -> None:
    """The draft can still be read, and takes no more changes."""
    draft = await client.open(data=wings())
    async with elsewhere.watch(draft, after=0) as events:
        await client.data(
            "mutation($id: ID!) { discardDraft(draft: $id) { errors { code } } }", id=draft
        )
        assert (await events.next())["__typename"] == "DraftDiscarded"
        assert await events.completed()
    refused = await elsewhere.try_edit(draft, named("Too late"))
    assert [error["code"] for error in refused["errors"]] == ["CLOSED"]
    assert (await client.draft(draft))["state"] == "DISCARDED"


async def test_drafts_on_one_socket_do_not_mix(client: Client, elsewhere: Client) -> None:
    """Each subscription has the events of its own draft, and ends by itself."""
    first, second = await client.open(data=wings()), await client.open(data=wings())
    async with open_socket(elsewhere.worker, token=client.token) as socket:
        names = {
            draft: await socket.start(operations.WATCH, draft=draft, after=0)
            for draft in (first, second)
        }
        watchers = {draft: Watcher(socket, name) for draft, name in names.items()}
        for number in range(5):
            await client.edit(first, named(f"First {number}"))
            await client.edit(second, named(f"Second {number}"))
        for draft, watcher in watchers.items():
            for version in range(1, 6):
                event = await watcher.next()
                assert (event["draftId"], event["version"]) == (draft, version)
        await socket.stop(names[first])
        await client.edit(second, named("Still there"))
        assert (await watchers[second].next())["version"] == 6


async def test_a_client_that_does_not_read_costs_the_service_little(
    start_workers: StartWorkers, start_session: StartSession
) -> None:
    """What no buffer takes any more is not kept for it: a snapshot stands for many events."""
    (worker,) = start_workers(1, GQL_CLUSTER=json.dumps({"MAX_BACKLOG": 20}))
    client = await start_session(worker)
    draft = await client.open(data=wings())
    edits = 200
    async with client.watch(draft) as events:
        await events.next()
        for _ in range(edits):
            long = token_urlsafe(60_000)  # lines compress well, and this does not
            await client.edit(draft, {"set": {"biography": long}})
        seen = [await events.next()]
        while seen[-1]["version"] < edits:
            seen.append(await events.next())
        snapshots = [event for event in seen if event["__typename"] == "DraftSnapshot"]
        assert len(seen) < edits
        assert snapshots
        for before, event in pairwise(seen):
            if event["__typename"] == "DraftEdited":
                assert event["version"] == before["version"] + 1
            else:
                assert event["version"] > before["version"] + 20
        await client.edit(draft, named("Awake"))
        event = await events.next()
        assert (event["__typename"], event["version"]) == ("DraftEdited", edits + 1)
