"""Commits: the whole cluster, once, or nothing at all and the draft as it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.database import everything
from tests.e2e.samples import in_album, member, move, named, wings

MOVIE = """
  draft { id version state } errors { code key field path message }
"""
OPEN_MOVIE = f"mutation($data: MovieInput) {{ payload: openMovieDraft(data: $data) {{ {MOVIE} }} }}"
EDIT_MOVIE = f"""
mutation($draft: ID!, $changes: [MovieChange!]!) {{
  payload: editMovieDraft(draft: $draft, changes: $changes) {{ {MOVIE} }}
}}
"""
COMMIT_MOVIE = f"""
mutation($draft: ID!) {{ payload: commitMovieDraft(draft: $draft) {{ cluster {{ pk }} {MOVIE} }} }}
"""


async def saved_wings(client: Client) -> Any:
    """Return a band that has been saved."""
    return (await client.commit(await client.open(data=wings())))["cluster"]


def where(errors: list[Any]) -> list[tuple[Any, ...]]:
    """Return what errors are about."""
    return [(error["code"], error["key"], error["field"], error["path"]) for error in errors]


@pytest.mark.parametrize(
    ("wrong", "key", "field", "path", "repair"),
    [
        pytest.param(
            {"albums": {"add": [{"key": "new", "title": "London Town"}]}},
            "new",
            "released",
            ["albums", "new", "released"],
            {"albums": {"update": {"key": "new", "set": {"released": "1978-03-31"}}}},
            id="a field is missing",
        ),
        pytest.param(
            member("new", joined=1980, left=1970),
            "new",
            "left",
            ["members", "new", "left"],
            {"members": {"update": {"key": "new", "set": {"left": 1981}}}},
            id="the model's own clean",
        ),
        pytest.param(
            member("new", name="Denny Laine"),
            "new",
            "name",
            ["members", "new", "name"],
            {"members": {"remove": ["new"]}},
            id="a name twice within the cluster",
        ),
        pytest.param(
            {"set": {"website": "not an address"}},
            "root",
            "website",
            ["website"],
            {"set": {"website": "https://example.com/"}},
            id="a validator",
        ),
        pytest.param(
            {"set": {"name": "x" * 201}},
            "root",
            "name",
            ["name"],
            named("Short"),
            id="too long for the column",
        ),
    ],
)
async def test_a_commit_that_fails_changes_no_row(  # noqa: PLR0913 - a case, said whole
    *,
    client: Client,
    elsewhere: Client,
    database_url: str,
    wrong: dict[str, Any],
    key: str,
    field: str,
    path: list[str],
    repair: dict[str, Any],
) -> None:
    """It tells key and field; the draft stays as it is, and is committed once it is repaired."""
    band = await saved_wings(client)
    draft = await client.open(pk=band["pk"])
    denny = band["members"][2]["pk"]
    await client.edit(draft, named("Renamed"), move(f"BandMember:{denny}", to="FIRST"), wrong)
    before, rows = await client.draft(draft), everything(database_url)
    dry = await client.data(
        "query($id: ID!) { draft(id: $id) { errors { code key field path } } }", id=draft
    )
    refused = await elsewhere.try_commit(draft, change_id="save")
    assert where(refused["errors"]) == [("VALIDATION_FAILED", key, field, path)]
    assert where(dry["draft"]["errors"]) == where(refused["errors"])
    assert refused["errors"][0]["message"]
    assert (refused["cluster"], refused["receipt"], refused["keys"]) == (None, None, [])
    assert everything(database_url) == rows
    assert await client.draft(draft) == before

    await client.edit(draft, repair)
    committed = await elsewhere.commit(draft, change_id="save")
    assert committed["draft"]["state"] == "COMMITTED"
    assert committed["cluster"]["members"][0]["pk"] == denny


async def test_every_problem_is_told_at_once(client: Client, database_url: str) -> None:
    """One entry each, of whichever node."""
    draft = await client.open(data=wings())
    await client.edit(
        draft,
        member("early", joined=1980, left=1970),
        {"albums": {"add": [{"key": "new", "title": "London Town"}]}},
        in_album("run", {"songs": {"add": [{"key": "song"}]}}),
    )
    rows = everything(database_url)
    errors = (await client.try_commit(draft))["errors"]
    assert {error["code"] for error in errors} == {"VALIDATION_FAILED"}
    assert {(error["key"], error["field"]) for error in errors} == {
        ("early", "left"),
        ("new", "released"),
        ("song", "title"),
    }
    assert everything(database_url) == rows


async def test_a_duplicate_of_a_row_in_the_database_is_refused(
    client: Client, database_url: str
) -> None:
    """A film that is there already can't be saved again; another year it can."""
    films = (await client.data("{ movies { title released } }"))["movies"]
    payload = await client.payload(OPEN_MOVIE, data=films[0])
    draft = payload["draft"]["id"]
    rows = everything(database_url)
    refused = await client.payload(COMMIT_MOVIE, draft=draft)
    assert {error["code"] for error in refused["errors"]} == {"VALIDATION_FAILED"}
    assert {error["key"] for error in refused["errors"]} == {"root"}
    assert refused["errors"][0]["field"] in ("title", "released")
    assert everything(database_url) == rows

    repair = [{"set": {"released": "1901-01-01"}}]
    edited = await client.payload(EDIT_MOVIE, draft=draft, changes=repair)
    assert (edited["draft"]["state"], edited["draft"]["version"]) == ("OPEN", 1)
    assert (await client.payload(COMMIT_MOVIE, draft=draft))["cluster"]["pk"]


async def test_a_duplicate_of_what_another_session_saved_meanwhile_is_refused(
    client: Client, stranger: Client, database_url: str
) -> None:
    """Two sessions add a member of the same name: the second is told, and repairs it."""
    band = await saved_wings(client)
    mine, theirs = await client.open(pk=band["pk"]), await stranger.open(pk=band["pk"])
    for session, draft in ((client, mine), (stranger, theirs)):
        await session.edit(draft, {"albums": {"add": [{**wings()["albums"][0], "title": "Wild"}]}})
    await stranger.commit(theirs)
    rows = everything(database_url)
    refused = await client.try_commit(mine)
    assert where(refused["errors"]) == [("CONFLICT", "run", "title", ["albums", "run", "title"])]
    assert refused["conflicts"] == [{"kind": "UNIQUE", "key": "run", "field": "title"}]
    assert everything(database_url) == rows
    await client.edit(mine, {"albums": {"update": {"key": "run", "set": {"title": "Life"}}}})
    saved = (await client.commit(mine))["cluster"]
    assert {"Wild", "Life"} <= {album["title"] for album in saved["albums"]}


async def test_a_retried_commit_gets_the_first_reply(
    client: Client, elsewhere: Client, database_url: str
) -> None:
    """One after the other and at both workers at once: one band, one receipt."""
    draft = await client.open(data=wings(name="Once"))
    replies = await asyncio.gather(
        *(each.try_commit(draft, change_id="save") for each in (client, elsewhere) * 3)
    )
    rows = everything(database_url)
    replies.append(await elsewhere.commit(draft, change_id="save"))
    assert everything(database_url) == rows
    assert replies == [replies[0]] * 7
    assert not replies[0]["errors"]
    receipts = [row[1:3] for row in rows["gql_cluster_receipt"]]
    assert len(receipts) == len(set(receipts))
    assert [row[1] for row in rows["bands_band"]].count("Once") == 1
    async with client.watch(draft, after=0) as events:
        assert (await events.next())["keys"] == replies[0]["keys"]
    closed = await client.try_commit(draft, change_id="another")
    assert [error["code"] for error in closed["errors"]] == ["CLOSED"]


async def test_edits_and_a_commit_at_once_lose_nothing(client: Client, elsewhere: Client) -> None:
    """Every edit is in what was saved, or its editor was told that it came too late."""
    draft = await client.open(data=wings())
    *edits, committed = await asyncio.gather(
        *(elsewhere.try_edit(draft, member(f"member-{number}")) for number in range(20)),
        client.commit(draft),
    )
    names = {each["name"] for each in committed["cluster"]["members"]}
    for number, edit in enumerate(edits):
        codes = [error["code"] for error in edit["errors"]]
        assert codes == ([] if f"Member-{number}" in names else ["CLOSED"])
    accepted = sum(not edit["errors"] for edit in edits)
    assert committed["receipt"]["version"] == accepted
