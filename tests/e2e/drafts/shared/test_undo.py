"""Undo, redo, revert, reset and history, as a frontend sees them; each step at another worker."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.client import Client
from tests.e2e.samples import member, named, wings

pytestmark = pytest.mark.once

PAYLOAD = """
  draft { version canUndo canRedo isDirty ... on BandDraft { cluster { name origin } } }
  event { __typename version ... on DraftEdited { cause changes { kind key } } }
  kept { key field path reason }
  errors { code message key field path }
"""
UNDO = f"""
mutation($draft: ID!, $id: ID) {{
  payload: undoDraft(draft: $draft, changeId: $id) {{ {PAYLOAD} }}
}}
"""
REDO = UNDO.replace("undoDraft", "redoDraft")
REVERT = f"""
mutation($draft: ID!, $version: Int!, $expected: Int) {{
  payload: revertDraft(draft: $draft, version: $version, expectedVersion: $expected) {{ {PAYLOAD} }}
}}
"""
RESET = f"""
mutation($draft: ID!, $keys: [ID!]!, $fields: [String!]) {{
  payload: resetNodes(draft: $draft, keys: $keys, fields: $fields) {{ {PAYLOAD} }}
}}
"""
HISTORY = """
query($draft: ID!, $first: Int, $after: Int) {
  draft(id: $draft) {
    history(first: $first, after: $after) {
      __typename version sessionId changeId
      ... on DraftEdited { cause changes { kind key fields { name before after } node { id } } }
    }
  }
}
"""


async def saved_wings(client: Client) -> Any:
    """Return a band that has been saved."""
    return (await client.commit(await client.open(data=wings())))["cluster"]


async def test_undo_and_redo_as_a_frontend_uses_them(client: Client, elsewhere: Client) -> None:
    """`canUndo` and `canRedo` switch the buttons; events tell the cause; a retry undoes once."""
    band = await saved_wings(client)
    draft = await client.open(pk=band["pk"])
    await client.edit(draft, named("First"))
    await client.edit(draft, named("Second"), member("new"))
    async with elsewhere.watch(draft, after=2) as events:
        undone = await elsewhere.payload(UNDO, draft=draft, id="u1")
        assert undone["errors"] == []
        assert undone["draft"]["cluster"]["name"] == "First"
        assert (undone["draft"]["canUndo"], undone["draft"]["canRedo"]) == (True, True)
        assert undone["event"]["cause"] == "UNDO"
        again = await client.payload(UNDO, draft=draft, id="u1")
        assert again["event"] == undone["event"]
        event = await events.next()
        assert (event["version"], event["cause"]) == (3, "UNDO")
        assert {change["kind"] for change in event["changes"]} == {"UPDATED", "REMOVED"}
    redone = await client.payload(REDO, draft=draft)
    assert redone["draft"]["cluster"]["name"] == "Second"
    assert redone["draft"]["canRedo"] is False
    for _ in range(2):
        last = await elsewhere.payload(UNDO, draft=draft)
    assert last["draft"] == {
        "version": 6,
        "canUndo": False,
        "canRedo": True,
        "isDirty": False,
        "cluster": {"name": band["name"], "origin": band["origin"]},
    }
    refused = await client.payload(UNDO, draft=draft)
    assert [error["code"] for error in refused["errors"]] == ["INVALID_CHANGE"]
    assert refused["draft"] is None


async def test_revert_and_reset(client: Client, elsewhere: Client) -> None:
    """To a version by number, and some fields by their GraphQL names."""
    band = await saved_wings(client)
    draft = await client.open(pk=band["pk"])
    await client.edit(draft, {"set": {"name": "First", "origin": "London"}})
    await client.edit(draft, named("Second"))
    reverted = await elsewhere.payload(REVERT, draft=draft, version=1, expected=2)
    assert reverted["draft"]["cluster"] == {"name": "First", "origin": "London"}
    assert reverted["event"]["cause"] == "REVERT"
    reset = await client.payload(RESET, draft=draft, keys=["root"], fields=["name"])
    assert reset["draft"]["cluster"] == {"name": band["name"], "origin": "London"}
    reset = await client.payload(RESET, draft=draft, keys=["root"])
    assert reset["draft"]["isDirty"] is False
    for query, variables in (
        (REVERT, {"version": 99}),
        (RESET, {"keys": ["nobody"]}),
        (RESET, {"keys": ["root"], "fields": ["nothing"]}),
        (RESET, {"keys": []}),
    ):
        refused = await client.payload(query, draft=draft, **variables)
        assert [error["code"] for error in refused["errors"]] == ["INVALID_CHANGE"]


async def test_history_shows_each_version_as_it_was(client: Client, elsewhere: Client) -> None:
    """Pages by version; values before and after; the nodes as they were then."""
    draft = await client.open(data=wings())
    for number in range(3):
        await client.edit(draft, named(f"Name {number}"), change_id=f"e{number}")
    found = (await elsewhere.data(HISTORY, draft=draft, first=2))["draft"]["history"]
    assert [(each["version"], each["changeId"]) for each in found] == [(1, "e0"), (2, "e1")]
    assert {each["sessionId"] for each in found} == {client.session}
    [change] = found[1]["changes"]
    assert change["fields"] == [{"name": "name", "before": "Name 0", "after": "Name 1"}]
    rest = (await elsewhere.data(HISTORY, draft=draft, after=2))["draft"]["history"]
    assert [each["version"] for each in rest] == [3]


async def test_a_stranger_undoes_nothing(client: Client, stranger: Client) -> None:
    """A draft that is another's is not there."""
    draft = await client.open(data=wings())
    await client.edit(draft, named("Mine"))
    for query, variables in (
        (UNDO, {}),
        (REDO, {}),
        (REVERT, {"version": 0}),
        (RESET, {"keys": ["root"]}),
    ):
        refused = await stranger.payload(query, draft=draft, **variables)
        assert [error["code"] for error in refused["errors"]] == ["NOT_FOUND"]
    assert (await client.draft(draft))["version"] == 1
