"""Change sets: whole or not at all, once, and in one order for everybody."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.replica import Replica
from tests.e2e.samples import in_album, member, move, named, nameless, wings

WRITERS = 50


async def test_one_wrong_change_of_five_stages_nothing(client: Client, elsewhere: Client) -> None:
    """The error tells which one, and where in the cluster; an event there is none."""
    draft = await client.open(data=wings())
    await client.edit(draft, named("Before"))
    before = await client.draft(draft)
    payload = await client.try_edit(
        draft,
        named("After"),
        member("jimmy"),
        move("jimmy", to="FIRST"),
        in_album("run", {"songs": {"update": {"key": "run-9", "set": {"title": "No"}}}}),
        {"members": {"remove": ["denny"]}},
    )
    [error] = payload["errors"]
    assert error.pop("message")
    assert error == {
        "code": "INVALID_CHANGE",
        "key": "run-9",
        "field": None,
        "path": ["albums", "run", "songs", "run-9"],
        "change": 3,
    }
    assert (payload["draft"], payload["event"]) == (None, None)
    assert await client.draft(draft) == await elsewhere.draft(draft) == before
    assert before["version"] == 1


async def test_a_wrong_value_names_its_field(client: Client) -> None:
    """Among five, by index, key, field and path."""
    draft = await client.open(data=wings())
    payload = await client.try_edit(
        draft,
        named("After"),
        member("jimmy"),
        move("jimmy", to="FIRST"),
        {"members": {"update": {"key": "jimmy", "set": {"name": None}}}},
        named("Later"),
    )
    [error] = payload["errors"]
    assert (error["code"], error["change"]) == ("INVALID_CHANGE", 3)
    assert (error["key"], error["field"]) == ("jimmy", "name")
    assert error["path"] == ["members", "jimmy", "name"]
    assert (await client.draft(draft))["version"] == 0


@pytest.mark.parametrize("add", [member("jimmy"), nameless("Jimmy")], ids=["key", "no key"])
async def test_a_retry_gets_the_first_reply(
    client: Client, elsewhere: Client, add: dict[str, Any]
) -> None:
    """From either worker, and after other edits, too."""
    draft = await client.open(data=wings())
    first = await client.edit(draft, add, change_id="add")
    assert await client.edit(draft, add, change_id="add") == first
    assert await elsewhere.edit(draft, add, change_id="add") == first
    await client.edit(draft, {"members": {"remove": [first["event"]["changes"][0]["key"]]}})
    late = await elsewhere.edit(draft, add, change_id="add")
    assert late["event"] == first["event"]
    assert late["draft"]["version"] == 2
    members = (await client.draft(draft))["cluster"]["members"]
    assert [each["key"] for each in members] == ["paul", "linda", "denny"]


@pytest.mark.parametrize("add", [member, nameless], ids=["key", "no key"])
async def test_a_request_sent_to_two_workers_at_once_is_applied_once(
    client: Client, elsewhere: Client, add: Callable[[str], dict[str, Any]]
) -> None:
    """Both reply the same, try after try."""
    draft = await client.open(data=wings())
    for version in range(1, 21):
        name = f"member-{version}"
        first, *others = await asyncio.gather(
            *(each.edit(draft, add(name), change_id=name) for each in (client, elsewhere) * 2)
        )
        assert first["event"]["version"] == first["draft"]["version"] == version
        assert others == [first] * 3
    members = (await client.draft(draft))["cluster"]["members"]
    assert len(members) == 3 + 20


async def test_a_change_id_can_not_be_used_for_something_else(
    client: Client, elsewhere: Client
) -> None:
    """Else the second request would be taken for done."""
    draft = await client.open(data=wings())
    await client.edit(draft, named("One"), change_id="same")
    refused = await elsewhere.try_edit(draft, named("Two"), change_id="same")
    assert [error["code"] for error in refused["errors"]] == ["INVALID_CHANGE"]
    assert (await elsewhere.draft(draft))["cluster"]["name"] == "One"


def concurrent(number: int, genre: str) -> list[dict[str, Any]]:
    """Return the changes of one of many editors; they are right in whatever order they come."""
    key = f"member-{number}"
    base, song = ("paul", "linda", "denny")[number % 3], f"run-{number % 3 + 1}"
    track = {"key": key, "title": key, "duration": "PT1M"}
    behind_it = {"songs": {"move": {"key": song, "after": key}}}
    album = {"key": key, "title": key, "released": "1980-01-01", "songs": [{"title": key}]}
    kinds: list[list[dict[str, Any]]] = [
        [member(key), move(key, to="FIRST")],
        [member(key, position=1), named(f"Name {number}")],
        [move(base, to="LAST")],
        [move("paul", before="denny"), move("denny", after="linda")],
        [{"members": {"remove": [f"spare-{number}"]}}],
        [in_album("run", {"songs": {"add": [track]}}, behind_it)],
        [
            {"members": {"update": {"key": "linda", "set": {"joined": number, "left": None}}}},
            {"albums": {"add": [album]}},
        ],
        [
            {"genres": {"add": [genre]}} if number % 3 else {"genres": {"clear": True}},
            {"set": {"formed": number}},
        ],
        [{"albums": {"add": [album]}}, {"albums": {"remove": [key]}}],
    ]
    return kinds[number % len(kinds)]


async def test_fifty_editors_at_once_make_fifty_versions(client: Client, elsewhere: Client) -> None:
    """The log, replayed over the first snapshot by a client, is what is stored."""
    genre = (await client.data("{ bands { genres { pk } } }"))["bands"][0]["genres"][0]["pk"]
    data = wings()
    data["members"] += [
        {"key": f"spare-{number}", "name": f"Spare {number}"} for number in range(WRITERS)
    ]
    draft = await client.open(data=data)
    async with elsewhere.watch(draft) as events:
        snapshot = await events.next()
    payloads = await asyncio.gather(
        *(
            worker.edit(draft, *concurrent(number, genre), change_id=str(number))
            for number, worker in zip(range(WRITERS), cycle([client, elsewhere]), strict=False)
        )
    )
    versions = [payload["event"]["version"] for payload in payloads]
    assert sorted(versions) == list(range(1, WRITERS + 1))
    assert {payload["event"]["changeId"] for payload in payloads} == set(map(str, range(WRITERS)))

    async with elsewhere.watch(draft, after=0) as events:
        log = await events.take(WRITERS)
    assert [event["version"] for event in log] == list(range(1, WRITERS + 1))
    replies = {payload["event"]["version"]: payload["event"] for payload in payloads}
    replica = Replica(snapshot["draft"]["cluster"])
    for event in log:
        del event["draft"]
        assert event == replies[event["version"]]
        replica.apply(event)
    for worker in (client, elsewhere):
        stored = (await worker.draft(draft))["cluster"]
        assert replica.told() == Replica(stored).told()


@pytest.mark.parametrize("behind", ["here", "there"])
async def test_an_edit_of_an_older_version_is_stale(
    client: Client, elsewhere: Client, behind: str
) -> None:
    """Whichever worker it comes to, nothing is staged; so with a commit."""
    draft = await client.open(data=wings())
    await client.edit(draft, named("Newer"))
    worker = {"here": client, "there": elsewhere}[behind]
    payload = await worker.try_edit(draft, named("Older"), expected=0)
    assert [error["code"] for error in payload["errors"]] == ["STALE_VERSION"]
    assert payload["event"] is None
    commit = await worker.try_commit(draft, expected=0)
    assert [error["code"] for error in commit["errors"]] == ["STALE_VERSION"]
    now = await client.draft(draft)
    assert (now["version"], now["cluster"]["name"], now["state"]) == (1, "Newer", "OPEN")


async def test_of_many_who_expect_the_same_version_one_wins(
    client: Client, elsewhere: Client
) -> None:
    """All others are told that they are behind."""
    draft = await client.open(data=wings())
    payloads = await asyncio.gather(
        *(
            worker.try_edit(draft, named(f"Name {number}"), expected=0)
            for number, worker in zip(range(10), cycle([client, elsewhere]), strict=False)
        )
    )
    refused = [payload for payload in payloads if payload["errors"]]
    assert len(refused) == 9
    assert {payload["errors"][0]["code"] for payload in refused} == {"STALE_VERSION"}
    assert (await client.draft(draft))["version"] == 1
