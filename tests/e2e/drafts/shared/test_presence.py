"""Seeing who else edits: sessions on two workers, their focus, and how they disappear."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from typing import Any

import pytest

from gql_cluster.store.keys import Keys
from tests.e2e import operations
from tests.e2e.client import Client, Watcher, open_socket
from tests.e2e.conftest import StartWorkers
from tests.e2e.drafts.conftest import StartSession
from tests.e2e.samples import named, wings
from tests.topologies import connect

pytestmark = pytest.mark.once

QUICK = {"GQL_CLUSTER": json.dumps({"PRESENCE_BEAT": 0.3, "PRESENCE_TTL": 3})}
SLOW = {"GQL_CLUSTER": json.dumps({"PRESENCE_BEAT": 60, "PRESENCE_TTL": 120})}


@pytest.fixture
async def bob(stranger: Client, elsewhere: Client) -> Client:
    """Another session, at the second worker."""
    return stranger.at(elsewhere.worker)


def let_in(redis_url: str, draft: str, *others: Client) -> None:
    """Let other sessions see a draft."""
    _, _, draft_id = base64.b64decode(draft).decode().partition(":")
    with connect(redis_url) as redis:
        redis.hset(Keys().draft(draft_id)[0], "members", json.dumps([o.session for o in others]))


def seen(editors: list[Any]) -> list[Any]:
    """Return the sessions with their focus."""
    return [(editor["sessionId"], editor["key"], editor["field"]) for editor in editors]


async def told(watcher: Watcher) -> list[Any]:
    """Return the editors that are told next."""
    notice = await watcher.notice()
    assert notice["__typename"] == "EditorsChanged"
    return seen(notice["editors"])


async def test_editors_see_each_other_come_move_and_go(
    client: Client, bob: Client, worker_redis_url: str
) -> None:
    """Whatever worker each is at; a snapshot has them, too."""
    ann = client
    draft = await ann.open(data=wings())
    let_in(worker_redis_url, draft, bob)
    assert (await ann.data(operations.PRESENT, draft=draft))["draft"]["editors"] == []
    async with ann.watch(draft) as anns:
        [me] = (await anns.next())["draft"]["editors"]
        assert (me["sessionId"], me["isMe"], me["key"], me["field"]) == (
            ann.session,
            True,
            None,
            None,
        )
        async with bob.watch(draft) as bobs:
            both = (await bobs.next())["draft"]["editors"]
            assert seen(both) == [(ann.session, None, None), (bob.session, None, None)]
            assert [editor["isMe"] for editor in both] == [False, True]
            assert datetime.fromisoformat(both[0]["since"]) < datetime.fromisoformat(
                both[1]["since"]
            )
            notice = await anns.notice()
            assert seen(notice["editors"]) == seen(both)
            assert [editor["isMe"] for editor in notice["editors"]] == [True, False]
            assert (notice["version"], notice["draftId"]) == (0, draft)
            assert (notice["sessionId"], notice["changeId"]) == (None, None)
            assert notice["draft"]["version"] == 0

            assert await bob.focus(draft, "run-2", "title") is True
            moved = [(ann.session, None, None), (bob.session, "run-2", "title")]
            assert await told(anns) == await told(bobs) == moved
            present = await ann.data(operations.PRESENT, draft=draft)
            assert seen(present["draft"]["editors"]) == moved
            assert await bob.at(ann.worker).focus(draft, "root") is True
            moved = [(ann.session, None, None), (bob.session, "root", None)]
            assert await told(anns) == await told(bobs) == moved
            await bob.edit(draft, named("Between"))
            assert (await anns.next(notices=True))["version"] == 1
        assert await told(anns) == [(ann.session, None, None)]
    assert await ann.focus(draft, "root", "name") is False
    assert await bob.focus(draft) is False


async def test_who_reconnects_is_told_who_is_there(
    client: Client, bob: Client, worker_redis_url: str
) -> None:
    """Behind what it missed; with a version that it can come back to."""
    draft = await client.open(data=wings())
    let_in(worker_redis_url, draft, bob)
    await client.edit(draft, named("Missed"))
    async with bob.watch(draft) as bobs, client.watch(draft, after=0) as anns:
        await bobs.next()
        assert (await anns.next(notices=True))["version"] == 1
        notice = await anns.notice()
        assert notice["version"] == 1
        assert {editor["sessionId"] for editor in notice["editors"]} <= {
            client.session,
            bob.session,
        }


async def test_a_line_that_goes_dead_takes_its_editor_away(
    client: Client, bob: Client, worker_redis_url: str
) -> None:
    """Without a word to the service; so does ending the subscription alone."""
    draft = await client.open(data=wings())
    let_in(worker_redis_url, draft, bob)
    async with client.watch(draft) as anns:
        await anns.next()
        async with bob.watch(draft) as bobs:
            await bobs.next()
            assert len(await told(anns)) == 2
            bobs.cut()
            assert await told(anns) == [(client.session, None, None)]
        async with open_socket(bob.worker, token=bob.token) as socket:
            operation = await socket.start(operations.WATCH, draft=draft)
            await Watcher(socket, operation).next()
            assert len(await told(anns)) == 2
            await socket.stop(operation)
            assert await told(anns) == [(client.session, None, None)]


@pytest.mark.parametrize(
    ("focus", "code"),
    [
        ({"key": "nobody"}, "INVALID_CHANGE"),
        ({"key": "root", "field": "title"}, "INVALID_CHANGE"),
        ({"key": "run", "field": "album_id"}, "INVALID_CHANGE"),
        ({"field": "name"}, "INVALID_CHANGE"),
        ({"key": "x" * 1000}, "INVALID_CHANGE"),
    ],
)
async def test_a_focus_that_can_not_be_is_refused(
    client: Client, focus: dict[str, str], code: str
) -> None:
    """With an error that names the code; the focus stays where it was."""
    draft = await client.open(data=wings())
    async with client.watch(draft) as events:
        await events.next()
        assert await client.focus(draft, "run", "released") is True
        answer = await client.post(operations.FOCUS, draft=draft, **focus)
        assert (answer.codes, answer.data) == ([code], None)
        present = await client.data(operations.PRESENT, draft=draft)
        assert seen(present["draft"]["editors"]) == [(client.session, "run", "released")]


async def test_nobody_is_seen_and_nobody_focuses_without_leave(
    client: Client, stranger: Client
) -> None:
    """Another session, and none at all."""
    draft = await client.open(data=wings())
    assert (await stranger.post(operations.FOCUS, draft=draft, key="root")).codes == ["NOT_FOUND"]
    nobody = Client(http=client.http, worker=client.worker)
    assert (await nobody.post(operations.FOCUS, draft=draft)).codes == ["UNAUTHENTICATED"]
    for other in (nobody, stranger):
        answer = await other.post(operations.PRESENT, draft=draft)
        assert answer.data in (None, {"draft": None})


async def test_the_editors_of_a_worker_that_was_killed_disappear(
    start_workers: StartWorkers, start_session: StartSession, worker_redis_url: str
) -> None:
    """When it has been silent for `PRESENCE_TTL`; those at other workers are told."""
    first, second = start_workers(2, **QUICK)
    ann, bob = await start_session(first), await start_session(second)
    draft = await ann.open(data=wings())
    let_in(worker_redis_url, draft, bob)
    async with ann.watch(draft) as anns:
        await anns.next()
        async with bob.watch(draft):
            assert len(await told(anns)) == 2
            await bob.focus(draft, "root", "name")
            assert (await told(anns))[1] == (bob.session, "root", "name")
            second.kill()
            assert await told(anns) == [(ann.session, None, None)]
    async with bob.at(first).watch(draft, after=0) as bobs:
        assert (bob.session, None, None) in await told(bobs)


async def test_the_editors_of_a_worker_that_is_stopped_leave_with_it(
    start_workers: StartWorkers, start_session: StartSession, worker_redis_url: str
) -> None:
    """As for a new release: it says so before it ends."""
    first, second = start_workers(2, **SLOW)
    ann, bob = await start_session(first), await start_session(second)
    draft = await ann.open(data=wings())
    let_in(worker_redis_url, draft, bob)
    async with ann.watch(draft) as anns:
        await anns.next()
        async with bob.watch(draft):
            assert len(await told(anns)) == 2
            second.stop()
            assert await told(anns) == [(ann.session, None, None)]
