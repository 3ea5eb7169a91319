"""`manage.py drafts`: what is edited, by whom, and how to get it out or to end it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from io import StringIO
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from redis import Redis

from schema import schema
from tests.api.schema_kit import Client, add_member, make_band
from tests.integration.operating.kit import drafts, raw


@pytest.fixture
async def ann(transactional_db: None) -> AsyncIterator[Client]:  # noqa: ARG001
    """A client with a session of its own, over an empty database."""
    yield Client(schema=schema, session="ann")
    await schema.engine.aclose()


@pytest.fixture
def bea() -> Client:
    """A client of another session."""
    return Client(schema=schema, session="bea")


async def listed(*arguments: str) -> list[dict[str, Any]]:
    """Return what is listed."""
    lines = (await drafts("list", "--json", *arguments)).splitlines()
    return [json.loads(line) for line in lines]


async def test_each_draft_is_listed_with_who_has_it(ann: Client, bea: Client) -> None:
    """Whoever it belongs to, and nothing of what is in it."""
    first = await ann.open(data={"name": "Wings"})
    pk, _ = await make_band()
    second = await bea.open(pk=pk)
    rows = {row["id"]: row for row in await listed()}
    assert rows.keys() == {first, second}
    assert (rows[first]["session"], rows[first]["pk"]) == ("ann", None)
    assert (rows[second]["session"], str(rows[second]["pk"])) == ("bea", pk)
    text = await drafts("list")
    assert text.splitlines()[0].startswith("id\tcluster\tpk\tstate")
    assert "Wings" not in text


async def test_a_list_is_of_what_is_asked_for(ann: Client, bea: Client) -> None:
    """By session, type, state and age, and by all of them."""
    first = await ann.open(data={"name": "Wings"})
    second = await bea.open(data={"name": "Queen"})
    await bea.data("mutation($id: ID!) { discardDraft(draft: $id) { errors { code } } }", id=second)
    assert [row["id"] for row in await listed("--session", "ann")] == [first]
    assert [row["id"] for row in await listed("--state", "discarded")] == [second]
    assert (
        len(await listed("--cluster", "bands.Band")) + len(await listed("--cluster", "Band")) == 2
    )
    assert await listed("--older-than", "1h") == []
    assert len(await listed("--older-than", "0s")) == 2


async def test_many_drafts_are_listed_once_each_and_only_those_of_the_prefix(
    ann: Client, redis_client: Redis, settings: LazySettings
) -> None:
    """More than a page of Redis, with keys of others between them."""
    redis_client.mset({f"{{other}}:{number}": "" for number in range(1500)})
    opened = {await ann.open(data={"name": str(number)}) for number in range(70)}
    rows = await listed()
    assert len(rows) == 70
    assert {row["id"] for row in rows} == opened
    settings.GQL_CLUSTER = {**settings.GQL_CLUSTER, "KEY_PREFIX": "gql?"}
    assert await listed() == []


async def test_a_draft_is_shown_by_either_of_its_ids(ann: Client) -> None:
    """As the client has it, or as the store has it."""
    draft = await ann.open(data={"name": "Wings"})
    shown = json.loads(await drafts("show", draft))
    assert shown == json.loads(await drafts("show", "--", raw(draft)))
    assert (shown["id"], shown["session"], shown["isShared"]) == (draft, "ann", False)


async def test_an_export_is_what_the_client_gets_as_json(ann: Client) -> None:
    """So that it can be opened again, here or elsewhere."""
    draft = await ann.open(data={"name": "Wings"})
    await ann.edit(draft, add_member("paul", "Paul", joined=1971))
    data = await ann.data("query($id: ID!) { draft(id: $id) { json } }", id=draft)
    expected, given = data["draft"]["json"], json.loads(await drafts("export", draft))
    assert given["members"] == expected["members"]
    times = {"created_at", "updated_at"}  # of when it was asked for
    assert {k: v for k, v in given.items() if k not in times} == {
        k: v for k, v in expected.items() if k not in times
    }


@pytest.mark.parametrize("action", ["show", "export", "expire"])
async def test_a_draft_that_is_not_there_is_an_error(ann: Client, action: str) -> None:
    """Whatever was to be done with it; and then nothing is done with others either."""
    draft = await ann.open(data={"name": "Wings"})
    more = ["--yes", draft] if action == "expire" else []
    with pytest.raises(CommandError, match="There is no draft missing"):
        await drafts(action, *more, "missing")
    assert len(await listed()) == 1


async def test_what_is_expired_leaves_nothing_behind(
    ann: Client, bea: Client, redis_client: Redis
) -> None:
    """Neither of a draft nor in its session's list; what is not the drafts' goes by itself."""
    pk, _ = await make_band()
    draft = await ann.open(pk=pk)
    await ann.edit(draft, add_member("john"))
    await bea.open(data={"name": "Queen"})
    assert await drafts("expire", "--all", "--yes") == "2 expired\n"
    left = [key.decode() for key in redis_client.scan_iter("*")]
    assert [key for key in left if ":{draft:" in key or ":{session:" in key] == []
    again = await ann.open(pk=pk)
    assert again != draft


async def test_those_who_watch_a_draft_are_told_that_it_has_expired(ann: Client) -> None:
    """At once, as when it expires by itself; and then their stream ends."""
    draft = await ann.open(data={"name": "Wings"})
    events = ann.stream(
        "subscription($id: ID!) { draftEvents(draft: $id) { __typename } }", id=draft
    )
    told = [(await anext(events)).data["draftEvents"]["__typename"]]
    await drafts("expire", draft, "--yes")
    async with asyncio.timeout(20):
        told += [result.data["draftEvents"]["__typename"] async for result in events]
    assert told[0] == "DraftSnapshot"
    assert told[-1] == "DraftExpired"


async def test_a_draft_that_is_being_committed_is_left_alone(
    ann: Client, redis_client: Redis
) -> None:
    """What a commit saves, it has to tell; the others that are meant are expired."""
    busy, idle = await ann.open(data={"name": "Wings"}), await ann.open(data={"name": "Queen"})
    meta = f"gqlc:{{draft:{raw(busy)}}}:meta"
    seconds, _ = redis_client.time()
    redis_client.hset(meta, mapping={"lock": "a commit", "until": (seconds + 60) * 1000})
    with pytest.raises(CommandError, match=f"left alone: {raw(busy)}"):
        await drafts("expire", busy, idle, "--yes")
    assert [row["id"] for row in await listed()] == [busy]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Name drafts"),
        (["--all", "--session", "ann"], "Name drafts"),
        (["--all"], "1 to expire: say --yes"),
        (["--older-than", "soon", "--yes"], "'soon' is no age"),
        (["--older-than", "9999999999999w", "--yes"], "is too long"),
        (["--state", "lost", "--yes"], "invalid choice"),
    ],
)
async def test_what_destroys_is_said_outright(ann: Client, arguments: list[str], says: str) -> None:
    """Neither a slip of the pen nor a script without a terminal expires anything."""
    await ann.open(data={"name": "Wings"})
    with pytest.raises(CommandError, match=says):
        await drafts("expire", *arguments)
    assert len(await listed()) == 1


@pytest.mark.parametrize(("answer", "left"), [("y", 0), ("", 1), ("no", 1)])
async def test_an_operator_is_asked_first(
    ann: Client, monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    """And what is not a yes is a no."""
    await ann.open(data={"name": "Wings"})
    terminal = StringIO(f"{answer}\n")
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", terminal)
    if left:
        with pytest.raises(CommandError, match="Nothing was expired"):
            await drafts("expire", "--all")
    else:
        await drafts("expire", "--all")
    assert len(await listed()) == left


def test_a_store_that_is_away_is_told(settings: LazySettings) -> None:
    """In a line, and with a failure."""
    settings.GQL_CLUSTER = {**settings.GQL_CLUSTER, "REDIS_URL": "redis://127.0.0.1:1/0"}
    with pytest.raises(CommandError, match="The draft store does not answer"):
        call_command("drafts", "list", stdout=StringIO())
